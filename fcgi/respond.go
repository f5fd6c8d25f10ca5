package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"sync"
)

// respond lets net/http/fcgi serve the handler and write its answer to the connection. It returns at once; done is closed
// when the answer is written. Whoever reads the connection meanwhile is interrupted before the answer's last record, which
// goes out when unwatched is closed: what the web server sends after that record is its next request.
//
// net/http/fcgi gets a connection of its own, on which a request of a few bytes has just come in: the real one has been read
// already, and the handler knows it. So nothing that comes from outside is in its hands.
func (c *connection) respond(id uint16, unwatched <-chan struct{}, handler http.Handler) (done <-chan struct{}) {
	stand := &standIn{connection: c, input: bytes.NewReader(smallRequest(id)), unwatched: unwatched, closed: make(chan struct{})}
	_ = fcgi.Serve(&onlyOnce{conn: stand}, handler) // It returns when there is nothing more to accept.
	return stand.closed
}

// smallRequest is what net/http/fcgi needs to call its handler. FCGI_KEEP_CONN is not set, so it closes the connection
// when it is done.
func smallRequest(id uint16) []byte {
	b := appendRecord(nil, beginRequest, id, []byte{0, roleResponder, 0, 0, 0, 0, 0, 0})
	b = appendRecord(b, params, id, appendPairs(nil, map[string]string{
		"REQUEST_METHOD":  http.MethodGet,
		"SERVER_PROTOCOL": "HTTP/1.1",
		"REQUEST_URI":     "/",
	}))
	b = appendRecord(b, params, id, nil)
	return appendRecord(b, stdin, id, nil)
}

// standIn is the connection that net/http/fcgi sees.
type standIn struct {
	*connection
	input     *bytes.Reader
	unwatched <-chan struct{}
	once      sync.Once
	closed    chan struct{}
}

// Read returns the request, and then nothing until the connection is closed.
func (s *standIn) Read(b []byte) (int, error) {
	if s.input.Len() > 0 {
		return s.input.Read(b)
	}
	<-s.closed
	return 0, io.EOF
}

// Write passes on what net/http/fcgi writes: one whole record each time.
func (s *standIn) Write(b []byte) (int, error) {
	if len(b) > 1 && recordType(b[1]) == endRequest {
		s.connection.interrupt()
		<-s.unwatched
	}
	return s.connection.write(b)
}

// Close says that the answer is written. The connection itself may carry another request.
func (s *standIn) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// onlyOnce is a listener that yields a single connection.
type onlyOnce struct{ conn net.Conn }

func (l *onlyOnce) Accept() (net.Conn, error) {
	conn := l.conn
	if conn == nil {
		return nil, io.EOF
	}
	l.conn = nil
	return conn, nil
}

func (l *onlyOnce) Close() error   { return nil }
func (l *onlyOnce) Addr() net.Addr { return &net.UnixAddr{} }
