package core

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	pkgerrors "github.com/pkg/errors"

	"novcomet/core/event"
)

// Opened says how a request is answered: by Handler or by Subscriber.
type Opened struct {
	// Handler answers the request. It may block.
	Handler http.Handler
	// Publishes reports whether Handler publishes, and so waits for the store.
	Publishes bool
	// Subscriber is a poll or a stream, which waits in the endpoint's hub.
	Subscriber *Subscriber
}

// Open decides how a request is answered. It publishes nothing, and reads the body only if it is a form. It
// decides whether a subscriber may subscribe. A stream's tokens are examined again at each of its parts.
func (e *Endpoint) Open(r *http.Request) Opened {
	location, client := e.locationOf(r.Context())
	if location.Status {
		return Opened{Handler: e.statusHandler()}
	}
	c := corsOf(r.Header.Get("Origin"), location.Access.Origins)
	query, answer := e.classify(r, location, client, c)
	if answer != nil {
		publishes := !query.Publish.IsZero() && r.Method != http.MethodHead
		return Opened{Handler: e.countErrors(c.wrap(answer)), Publishes: publishes}
	}
	return Opened{Subscriber: e.newSubscriber(r, query, location, c)}
}

const methods = "GET, POST, PUT, HEAD, OPTIONS"

// classify returns the query of a subscriber, or the answer to any other request. With the answer to a
// publication, it also returns the query.
func (e *Endpoint) classify(r *http.Request, l *Location, client Client, c cors) (Query, http.Handler) {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodHead:
	case http.MethodOptions:
		return Query{}, http.HandlerFunc(c.preflight)
	default:
		return Query{}, unknownMethod(r.Method, methods)
	}
	query, hasForm, err := e.readQuery(r)
	if err != nil {
		return Query{}, &refusal{status: statusOf(err), reason: err.Error()}
	}
	if !query.Publish.IsZero() {
		return query, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if hasForm {
				r.Body = http.NoBody // The body was the form, and is not data.
			}
			e.publishAuthorized(w, r, query.Publish, &l.Access, client)
		})
	}
	if refused := authorizeSubscriptions(r, query, &l.Access, client); refused != nil {
		return Query{}, refused
	}
	switch r.Method {
	case http.MethodHead: // HEAD changes nothing and does not wait.
		return Query{}, http.HandlerFunc(headOK)
	case http.MethodPut:
		return Query{}, &refusal{status: http.StatusBadRequest, reason: "PUT publishes data: it needs ?publish=ID"}
	}
	return query, nil
}

func headOK(w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusOK, nil) }

// Refuse returns the answer {"error": reason} of a location, with CORS headers for the page with this origin.
// It is counted as all errors are.
func (e *Endpoint) Refuse(l *Location, origin string, status int, reason string) http.Handler {
	return e.countErrors(corsOf(origin, l.Access.Origins).wrap(&refusal{status: status, reason: reason}))
}

var (
	errNoQuery = errors.New("the request asks for nothing: subscribe with ?subscribed[ID]=T " +
		"(T: the Unix second last seen, or now), publish with ?publish=ID")
	errNoForm  = errors.New("a POST without ?publish=ID is read as a form: send it as application/x-www-form-urlencoded")
	errEncoded = errors.New("the request's body is compressed or encoded")
)

// readQuery reads the query string. If it asks for nothing, a form in the body is read, too.
func (e *Endpoint) readQuery(r *http.Request) (query Query, hasForm bool, err error) {
	raw := r.URL.RawQuery
	if query, err = ParseQuery(raw); err != nil {
		return Query{}, false, err
	}
	switch isPost := query.isEmpty() && r.Method == http.MethodPost; {
	case isPost && isForm(r):
		form, err := readBody(r, e.limits.Load().MaxForm)
		if err != nil {
			return Query{}, true, err
		}
		raw, hasForm = raw+"&"+string(form), true
		if query, err = ParseQuery(raw); err != nil {
			return Query{}, true, err
		}
	case isPost && r.ContentLength != 0 && r.Header.Get("Content-Type") != "":
		return Query{}, false, fmt.Errorf("%w, not as %.60q", errNoForm, r.Header.Get("Content-Type"))
	}
	if raw == "" || raw == "&" {
		return Query{}, hasForm, errNoQuery
	}
	return query, hasForm, nil
}

// readData reads the data of a publication: the body of the request. The data is nil if there is none to
// publish.
func (e *Endpoint) readData(r *http.Request) ([]byte, error) {
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		return nil, nil
	}
	data, err := readBody(r, int64(e.limits.Load().MaxData))
	if err != nil {
		return nil, err
	}
	if r.Method == http.MethodPost && len(data) == 0 { // comet.php's clients can post to a URL that publishes.
		data = nil
	}
	_, err = event.EncodeData(data)
	return data, err
}

func readBody(r *http.Request, limit int64) ([]byte, error) {
	for coding := range strings.SplitSeq(strings.Join(r.Header.Values("Content-Encoding"), ","), ",") {
		if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
			return nil, fmt.Errorf("%w: Content-Encoding is %.40q: send it without a Content-Encoding", errEncoded, coding)
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return nil, fmt.Errorf("the request's body takes more than %d bytes: %w", limit, err)
	}
	return body, pkgerrors.Wrap(err, "the request's body")
}

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
	if errors.Is(err, errNoForm) || errors.Is(err, event.ErrNotText) || errors.Is(err, errEncoded) {
		return http.StatusUnsupportedMediaType
	}
	return http.StatusBadRequest
}
