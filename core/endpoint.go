package core

import (
	"encoding/json"
	stderrors "errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/pkg/errors"
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
	// MaxData is how much data an event carries at the most, in bytes; 0: DefaultMaxData. More is not published, but
	// answered with 413, and where another program has published it, the event is told of without it.
	MaxData int
	// Streams limits Server-Sent Events.
	Streams StreamLimits
	// Status answers the requests of a location whose [Settings] say so; nil: the Figures, as JSON.
	Status http.Handler
	// Log gets a line for each problem; nil: slog.Default().
	Log *slog.Logger

	store     Store
	loop      *loop
	limits    limits
	streaming atomic.Int64 // how many streams there are
	counts    counts
}

// DefaultMaxForm is room for a thousand ids of ordinary length.
const DefaultMaxForm = 64 << 10

// NewEndpoint returns the endpoint of the events in the store.
func NewEndpoint(store Store, s Settings) *Endpoint {
	e := &Endpoint{Settings: s, store: store}
	e.loop = newLoop(store, e.maxData, e.log)
	return e
}

func (e *Endpoint) maxForm() int64 {
	if e.MaxForm != 0 {
		return e.MaxForm
	}
	return DefaultMaxForm
}

func (e *Endpoint) maxData() int {
	if e.MaxData != 0 {
		return e.MaxData
	}
	return DefaultMaxData
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

// Ended is closed when, after Close, the last poll has been answered and the store is not looked at any more. Whoever wants to
// close the store waits for it, and lets no request in meanwhile.
func (e *Endpoint) Ended() <-chan struct{} { return e.loop.ended }

// Waiting returns how many polls wait.
func (e *Endpoint) Waiting() int { return e.loop.Waiting() }

const methods = "GET, POST, PUT, HEAD, OPTIONS"

// ServeHTTP answers one request: a publication at once, a poll when it is time, a stream again and again.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	opened := e.Open(r)
	answer := opened.Answer
	switch {
	case opened.Stream != nil:
		answer = opened.Stream
	case opened.Poll != nil:
		if answer = opened.Poll.wait(r.Context()); answer == nil {
			return // The client has left; nobody hears an answer.
		}
	}
	answer.ServeHTTP(w, r)
}

// Opened is what a request has turned out to be. One of its fields is set.
type Opened struct {
	Answer http.Handler // what answers it at once
	Poll   *Poll        // which may have to wait
	Stream *Stream
}

// Open reads a request as far as it takes to know what becomes of it. Who may do what is decided here, before anything waits,
// and not again while a poll does.
func (e *Endpoint) Open(r *http.Request) Opened {
	settings := e.settings(r.Context())
	if settings.Status {
		return Opened{Answer: e.status()}
	}
	share := settings.access().Origins.sharing(r)
	query, answer := e.open(r, settings, share)
	switch {
	case answer != nil:
		return Opened{Answer: e.Counted(share.on(answer))}
	case wantsStream(r.Header):
		return Opened{Stream: newStream(e, r, query, settings, share)}
	default:
		query.Tokens = nil // They have done their work, and a poll that waits keeps nothing of its request.
		return Opened{Poll: &Poll{e, query, settings, share}}
	}
}

// open returns the query of a poll or a stream, or what answers the request at once.
func (e *Endpoint) open(r *http.Request, s Settings, share sharing) (Query, http.Handler) {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodHead:
	case http.MethodOptions:
		return Query{}, http.HandlerFunc(share.preflight)
	default:
		return Query{}, &refusal{http.StatusMethodNotAllowed, "method " + strconv.Quote(r.Method) + " is not one of " + methods, map[string]string{"Allow": methods}}
	}
	query, body, err := e.query(r)
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
		return Query{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.publish(w, r, query.Publish, body) })
	case r.Method == http.MethodPut:
		return Query{}, &refusal{http.StatusMethodNotAllowed, "PUT publishes data: it needs ?publish=ID", map[string]string{"Allow": methods}}
	default:
		return query, nil
	}
}

// Refuse returns the answer to a request that can't be read as a whole: {"error": reason}, for the pages of other sites too
// that its settings list.
func (e *Endpoint) Refuse(r *http.Request, status int, reason string) http.Handler {
	return e.Counted(e.settings(r.Context()).access().Origins.sharing(r).on(&refusal{status: status, reason: reason}))
}

var errNoQuery = stderrors.New("nothing asked: subscribe with ?subscribed[ID]=T (T: the Unix second last seen, or now), publish with ?publish=ID")

// query reads the query string and, where that asks for nothing, a form body behind it. The body of a publication whose id
// stands in the query string is its data; nil: it has none.
func (e *Endpoint) query(r *http.Request) (query Query, data []byte, err error) {
	raw := r.URL.RawQuery
	if query, err = ParseQuery(raw); err != nil {
		return Query{}, nil, err
	}
	switch posts := r.Method == http.MethodPost; {
	case !query.Publish.IsZero() && (posts || r.Method == http.MethodPut):
		if data, err = body(r, int64(e.maxData())); err != nil {
			return Query{}, nil, err
		}
		if posts && len(data) == 0 { // comet.php's clients may post to the URL that publishes.
			data = nil
		}
	case query.IsEmpty() && posts && isForm(r):
		form, err := body(r, e.maxForm())
		if err != nil {
			return Query{}, nil, err
		}
		raw += "&" + string(form)
		if query, err = ParseQuery(raw); err != nil {
			return Query{}, nil, err
		}
	}
	if raw == "" || raw == "&" {
		return Query{}, nil, errNoQuery
	}
	return query, data, nil
}

func body(r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	if err != nil {
		return nil, errors.Wrap(err, "the request's body")
	}
	return body, nil
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

// publish publishes the event, with data where it is not nil.
func (e *Endpoint) publish(w http.ResponseWriter, r *http.Request, id ID, data []byte) {
	var err error
	if data == nil {
		_, err = e.store.Publish(r.Context(), id)
	} else if carrier, ok := e.store.(Carrier); ok {
		_, err = carrier.PublishData(r.Context(), id, data)
	} else {
		WriteError(w, http.StatusForbidden, "the events of this store carry no data")
		return
	}
	e.counts.publication(err)
	if err == nil {
		write(w, http.StatusOK, []byte("true"))
		return
	}
	if errors.Is(err, ErrNoEvent) {
		forbidden("publishing %q is not allowed: %s", id.name, ErrNoEvent).ServeHTTP(w, nil)
		return
	}
	e.log().Error("can't publish", "event", id.String(), "error", err)
	switch {
	case errors.Is(err, ErrUnavailable):
		write(w, http.StatusServiceUnavailable, []byte("false"))
	case errors.Is(err, ErrRefused) && data != nil:
		WriteError(w, http.StatusForbidden, err.Error())
	default:
		write(w, http.StatusOK, []byte("false")) // as comet.php said it
	}
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
