package core

import (
	stderrors "errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// Opened is what a request has turned out to be. One of its first three fields is set.
type Opened struct {
	Answer http.Handler // what answers it at once
	Poll   *Poll        // which may have to wait
	Stream *Stream

	Publishes bool // Answer publishes, and waits for the store
}

// waits reports whether it may have to wait.
func (o Opened) waits() bool {
	return o.Stream != nil || o.Poll != nil && o.Poll.settings.Wait() > 0 && o.Poll.query.MaxWait != 0
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
		return Opened{Answer: e.Counted(share.on(answer)), Publishes: !query.Publish.IsZero()}
	case wantsStream(r.Header):
		return Opened{Stream: newStream(e, r, query, settings, share)}
	default:
		query.Tokens = nil // They have done their work, and a poll that waits keeps nothing of its request.
		return Opened{Poll: &Poll{e, query, settings, share}}
	}
}

// open returns the query of a poll or a stream, or what answers the request at once, with the query if that is a publication.
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
		return Query{}, http.HandlerFunc(writeHead)
	case !query.Publish.IsZero():
		return query, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.publish(w, r, query.Publish, body) })
	case r.Method == http.MethodPut:
		return Query{}, &refusal{status: http.StatusBadRequest, reason: "PUT publishes data: it needs ?publish=ID"}
	default:
		return query, nil
	}
}

// Refuse returns the answer to a request that can't be read as a whole: {"error": reason}, for the pages of other sites too
// that its settings list.
func (e *Endpoint) Refuse(r *http.Request, status int, reason string) http.Handler {
	return e.Counted(e.settings(r.Context()).access().Origins.sharing(r).on(&refusal{status: status, reason: reason}))
}

var errNoQuery = stderrors.New("the request asks for nothing: subscribe with ?subscribed[ID]=T (T: the Unix second last seen, or now), publish with ?publish=ID")

var errNoForm = stderrors.New("a POST without ?publish=ID is read as a form: send it as application/x-www-form-urlencoded")

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
		if err = CheckData(data); err != nil {
			return Query{}, nil, err
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
	case query.IsEmpty() && posts && r.ContentLength != 0 && r.Header.Get("Content-Type") != "":
		return Query{}, nil, fmt.Errorf("%w, not as %.60q", errNoForm, r.Header.Get("Content-Type"))
	}
	if raw == "" || raw == "&" {
		return Query{}, nil, errNoQuery
	}
	return query, data, nil
}

func body(r *http.Request, limit int64) ([]byte, error) {
	for coding := range strings.SplitSeq(strings.Join(r.Header.Values("Content-Encoding"), ","), ",") {
		if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
			return nil, fmt.Errorf("%w: Content-Encoding is %.40q: send it without a Content-Encoding", errEncoded, coding)
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	if err != nil {
		return nil, errors.Wrap(err, "the request's body")
	}
	return body, nil
}

var errEncoded = stderrors.New("the request's body is compressed or encoded")

func isForm(r *http.Request) bool {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return mediaType == "application/x-www-form-urlencoded"
}

func statusOf(err error) int {
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return http.StatusRequestTimeout
	}
	if errors.Is(err, errNoForm) || errors.Is(err, errNotText) || errors.Is(err, errEncoded) {
		return http.StatusUnsupportedMediaType
	}
	return http.StatusBadRequest
}
