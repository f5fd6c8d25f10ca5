package core

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
)

// Endpoint is the URL where comet.php used to be.
type Endpoint struct {
	// Settings are those of every request that has none of its own ([WithSettings]).
	Settings Settings
	// MaxForm is the largest form body that is read, in bytes; 0: DefaultMaxForm. A larger one is answered with 413.
	MaxForm int64
	// MaxWaiting is how many polls may wait; 0: any number. A poll beyond is answered as soon as the rules of delivery
	// allow, instead of being refused: long polling becomes polling, and no client is lost.
	MaxWaiting int
	// Log gets a line for each problem; nil: slog.Default().
	Log *slog.Logger

	store  Store
	loop   *loop
	limits limits
}

// DefaultMaxForm is room for a thousand ids of ordinary length.
const DefaultMaxForm = 64 << 10

// NewEndpoint returns the endpoint of the events in the store.
func NewEndpoint(store Store, s Settings) *Endpoint {
	e := &Endpoint{Settings: s, store: store}
	e.loop = newLoop(store, e.log)
	return e
}

func (e *Endpoint) log() *slog.Logger {
	if e.Log != nil {
		return e.Log
	}
	return slog.Default()
}

// Drain answers every poll that waits, and every one that still comes, as soon as the rules of delivery allow: within 4 s,
// and where thousands wait not all at the same time. It returns at once.
func (e *Endpoint) Drain() { e.loop.Drain() }

// Close lets the endpoint end: it stops listening to its store's Notifier when the last poll has been answered, and returns
// at once.
func (e *Endpoint) Close() { e.loop.Close() }

// Waiting returns how many polls wait.
func (e *Endpoint) Waiting() int { return e.loop.Waiting() }

const methods = "GET, POST, HEAD, OPTIONS"

// ServeHTTP answers one request: a publication at once, a poll when it is time.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	poll, answer := e.Open(r)
	if poll != nil {
		if answer = poll.wait(r.Context()); answer == nil {
			return // The client has left; nobody hears an answer.
		}
	}
	answer.ServeHTTP(w, r)
}

// Open reads a request as far as it takes to know what becomes of it: either a poll, which may have to wait, or what
// answers it at once. Who may do what is decided here, before anything waits, and not again while it does.
func (e *Endpoint) Open(r *http.Request) (*Poll, http.Handler) {
	settings := e.settings(r.Context())
	share := settings.access().Origins.sharing(r)
	query, answer := e.open(r, settings, share)
	if answer != nil {
		return nil, share.on(answer)
	}
	return &Poll{e, query, settings, share}, nil
}

// open returns the poll's query, or what answers the request at once.
func (e *Endpoint) open(r *http.Request, s Settings, share sharing) (Query, http.Handler) {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodHead:
	case http.MethodOptions:
		return Query{}, http.HandlerFunc(share.preflight)
	default:
		return Query{}, &refusal{http.StatusMethodNotAllowed, "method " + strconv.Quote(r.Method) + " is not one of " + methods, map[string]string{"Allow": methods}}
	}
	query, err := e.query(r)
	if err != nil {
		return Query{}, &refusal{status: statusOf(err), reason: err.Error()}
	}
	if refused := e.refuse(r, query, s); refused != nil {
		return Query{}, refused
	}
	switch {
	case r.Method == http.MethodHead: // It only asks what a GET would be answered with; it changes nothing and waits for nothing.
		return Query{}, jsonAnswer(nil)
	case !query.Publish.IsZero():
		return Query{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.publish(r.Context(), w, query.Publish) })
	default:
		query.Tokens = nil // They have done their work, and a poll that waits keeps nothing of its request.
		return query, nil
	}
}

// Refuse returns the answer to a request that can't be read as a whole: {"error": reason}, for the pages of other sites too
// that its settings list.
func (e *Endpoint) Refuse(r *http.Request, status int, reason string) http.Handler {
	return e.settings(r.Context()).access().Origins.sharing(r).on(&refusal{status: status, reason: reason})
}

var errNoQuery = errors.New("nothing asked: subscribe with ?subscribed[ID]=T (T: the Unix second last seen, or now), publish with ?publish=ID")

// query reads the query string and, where that asks for nothing, a form body behind it.
func (e *Endpoint) query(r *http.Request) (Query, error) {
	raw := r.URL.RawQuery
	query, err := ParseQuery(raw)
	if err != nil {
		return Query{}, err
	}
	if query.IsEmpty() && r.Method == http.MethodPost && isForm(r) {
		limit := e.MaxForm
		if limit == 0 {
			limit = DefaultMaxForm
		}
		body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
		if err != nil {
			return Query{}, err
		}
		raw += "&" + string(body)
		if query, err = ParseQuery(raw); err != nil {
			return Query{}, err
		}
	}
	if raw == "" || raw == "&" {
		return Query{}, errNoQuery
	}
	return query, nil
}

func isForm(r *http.Request) bool {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return mediaType == "application/x-www-form-urlencoded"
}

func statusOf(err error) int {
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

func (e *Endpoint) publish(ctx context.Context, w http.ResponseWriter, id ID) {
	_, err := e.store.Publish(ctx, id)
	if err == nil {
		write(w, http.StatusOK, []byte("true"))
		return
	}
	if errors.Is(err, ErrNoEvent) {
		forbidden("publishing %q is not allowed: %s", id.name, ErrNoEvent).ServeHTTP(w, nil)
		return
	}
	e.log().Error("can't publish", "event", id.String(), "error", err)
	status := http.StatusOK // as comet.php said it
	if errors.Is(err, ErrUnavailable) {
		status = http.StatusServiceUnavailable
	}
	write(w, status, []byte("false"))
}

// WriteError answers a request with {"error": message}. What stands in front of an Endpoint uses it, so that every
// answer of the URL has the same form.
func WriteError(w http.ResponseWriter, status int, message string) {
	body, err := json.Marshal(map[string]string{"error": message})
	if err != nil {
		panic(fmt.Sprintf("a message that is no JSON: %v", err))
	}
	write(w, status, body)
}

// jsonAnswer is an answer that is known: nothing can go wrong with it any more.
type jsonAnswer []byte

func (body jsonAnswer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, body)
}

func write(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if body != nil {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // If the client has left, nobody hears of it.
}
