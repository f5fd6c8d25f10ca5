package main

import (
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"sync"
	"sync/atomic"

	"novcomet/fcgi/fastcgi"
)

// responders let net/http/fcgi write the answers, a limited number at the same time. Each takes 130 KB of
// buffers: half of them while it writes an answer, the other half all the time.
//
// net/http/fcgi gets nothing from outside. Each responder is a connection in memory, on which net/http/fcgi
// reads a request of a few bytes for each answer. What it writes is collected, and sent on the real
// connection, whose request has been read already.
type responders struct {
	free       chan *responder // nil: not started so far
	publishing semaphore       // A store that does not answer must leave responders to polls.
	sending    semaphore       // large answers that are being sent
	waiting    atomic.Int32    // large answers that wait for sending
}

func newResponders(n int) *responders {
	r := &responders{free: make(chan *responder, n), publishing: make(semaphore, max(1, n/2)), sending: make(semaphore, n)}
	for range n {
		r.free <- nil
	}
	return r
}

// respond lets the handler write the answer to a request, and returns its records. They are sent with one
// system call, and a web server that does not read keeps no responder busy.
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

// acquireFor waits until an answer, or a part of a stream, of this size may be held in memory.
func (rs *responders) acquireFor(size int) (release func()) {
	if size <= largeAnswer {
		return func() {}
	}
	rs.waiting.Add(1)
	defer rs.waiting.Add(-1)
	return rs.sending.acquire()
}

// largeAnswer is the size of an answer, in bytes, from which it may have to wait in memory until the web
// server has read a part of it. A smaller one fits into the socket's buffer.
const largeAnswer = 64 << 10

// contended reports whether large answers wait for memory.
func (rs *responders) contended() bool { return rs.waiting.Load() > 0 }

// close waits until no answer is being written, and ends the responders.
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
	net.Conn // nil: only the methods below are called

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
	begin := []byte{0, fastcgi.RoleResponder, fastcgi.FlagKeepConn, 0, 0, 0, 0, 0}
	b := fastcgi.AppendRecord(make([]byte, 0, 128), fastcgi.BeginRequest, id, begin)
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
