package sim

import (
	"net/http"
	"net/http/httptest"

	"novcomet/core"
)

// Server serves an endpoint to the clients of a history.
type Server interface {
	// Serve answers a request to the location.
	Serve(v Visitor, r *http.Request, l *core.Location)
	// Drain makes the server answer all requests that wait, and end. It does not wait for that.
	Drain()
	// Close is called when no request waits any more. It returns when the server has ended.
	Close()
}

// Visitor is the client's end of a request. By Sent and Answered, the server says when the endpoint had the
// request, and when it had decided the answer. Bytes may be on their way before and after.
type Visitor interface {
	http.ResponseWriter
	http.Flusher
	// Sent is called when the whole request has been sent.
	Sent()
	// Answered is called when the first bytes of the answer, or of the next part of a stream, have arrived.
	Answered()
	// Lost is called if the rest of the answer will not arrive.
	Lost()
}

// direct is a server without connections.
type direct struct{ *core.Endpoint }

func (d direct) Serve(v Visitor, r *http.Request, l *core.Location) {
	v.Sent()
	d.ServeHTTP(v, r.WithContext(core.WithLocation(r.Context(), l, core.Client{})))
}

func (d direct) Drain() {
	d.Endpoint.Drain()
	d.Close()
}

// recorder is the visitor of a poll or a publication.
type recorder struct {
	*httptest.ResponseRecorder
	now            func() instant
	sent, answered instant
}

func (r *recorder) Sent()     { r.sent = r.now() }
func (r *recorder) Answered() { r.answered = r.now() }
func (r *recorder) Lost()     {}
