package main

import (
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"novcomet/fcgi/fastcgi"
	"sync"
	"sync/atomic"
)

// responders let net/http/fcgi write the answers, at most so many at the same time. (Each takes 130 KB of
// buffers: half of them for the answer, and half for as long as it lives.)
//
// Nothing that comes from outside is in the hands of net/http/fcgi. Each responder has one connection to it,
// which is not a real one: on it comes a request of a few bytes, whenever there is something to answer. What
// net/http/fcgi writes is collected and handed over, for the real connection, whose request has been read
// already.
type responders struct {
	free       chan *responder // nil: not started so far
	publishing crowded         // A store that does not answer must leave responders to polls.
	sending    crowded         // large answers, until the web server has taken them
	waiting    atomic.Int32    // for sending
}

func newResponders(n int) *responders {
	r := &responders{free: make(chan *responder, n), publishing: make(crowded, max(1, n/2)), sending: make(crowded, n)}
	for range n {
		r.free <- nil
	}
	return r
}

// respond lets handler write the answer to request id, and returns its records. They are to be sent at once:
// one system call, and a web server that does not read keeps no responder from the others.
func (rs *responders) respond(id uint16, handler http.Handler) []byte {
	r := <-rs.free
	if r == nil {
		r = startResponder()
	}
	r.handler = handler
	r.requests <- smallRequest(id)
	answer := <-r.answers
	r.handler = nil
	rs.free <- r
	return answer
}

// room waits until there is room in memory for an answer, or a part of a stream, of so many bytes, and
// returns what gives it back.
func (rs *responders) room(size int) (leave func()) {
	if size <= large {
		return func() {}
	}
	rs.waiting.Add(1)
	defer rs.waiting.Add(-1)
	return rs.sending.enter()
}

// othersWait reports whether large answers wait for room.
func (rs *responders) othersWait() bool { return rs.waiting.Load() > 0 }

// close ends the responders; whoever is still answering ends them first.
func (rs *responders) close() {
	for range cap(rs.free) {
		if r := <-rs.free; r != nil {
			close(r.requests)
		}
	}
}

// busy returns how many answers are being written.
func (rs *responders) busy() int { return cap(rs.free) - len(rs.free) }

// responder is the connection that net/http/fcgi sees.
type responder struct {
	net.Conn // It has only what follows.

	requests chan []byte
	input    []byte
	handler  http.Handler // of the request that is being answered
	output   []byte
	answers  chan []byte
}

func startResponder() *responder {
	r := &responder{requests: make(chan []byte), answers: make(chan []byte)}
	answer := func(w http.ResponseWriter, req *http.Request) { r.handler.ServeHTTP(w, req) }
	_ = fcgi.Serve(&onlyOnce{conn: r}, http.HandlerFunc(answer)) // It returns when there is nothing more to accept.
	return r
}

// smallRequest is what net/http/fcgi needs to call its handler. FCGI_KEEP_CONN keeps the responder for the
// next one.
func smallRequest(id uint16) []byte {
	b := fastcgi.AppendRecord(make([]byte, 0, 128), fastcgi.BeginRequest, id, []byte{0, fastcgi.RoleResponder, fastcgi.FlagKeepConn, 0, 0, 0, 0, 0})
	b = fastcgi.AppendRecord(b, fastcgi.Params, id, smallParams)
	b = fastcgi.AppendRecord(b, fastcgi.Params, id, nil)
	return fastcgi.AppendRecord(b, fastcgi.Stdin, id, nil)
}

var smallParams = fastcgi.AppendParams(nil, map[string]string{
	"REQUEST_METHOD":  http.MethodGet,
	"SERVER_PROTOCOL": "HTTP/1.1",
	"REQUEST_URI":     "/",
})

// Read returns the next small request, when there is one.
func (r *responder) Read(b []byte) (int, error) {
	if len(r.input) == 0 {
		input, ok := <-r.requests
		if !ok {
			return 0, io.EOF
		}
		r.input = input
	}
	n := copy(b, r.input)
	r.input = r.input[n:]
	return n, nil
}

// Write takes what net/http/fcgi writes, one whole record each time, and hands it over with the last one.
func (r *responder) Write(b []byte) (int, error) {
	r.output = append(r.output, b...)
	if len(b) > 1 && fastcgi.Type(b[1]) == fastcgi.EndRequest {
		answer := r.output
		r.output = nil
		r.answers <- answer
	}
	return len(b), nil
}

// Close is called by net/http/fcgi when close has ended the responder.
func (r *responder) Close() error { return nil }

// onlyOnce is a listener that yields a single connection.
type onlyOnce struct {
	conn net.Conn
	once sync.Once
}

func (l *onlyOnce) Accept() (conn net.Conn, err error) {
	err = io.EOF
	l.once.Do(func() { conn, err = l.conn, nil })
	return conn, err
}

func (l *onlyOnce) Close() error   { return nil }
func (l *onlyOnce) Addr() net.Addr { return &net.UnixAddr{} }
