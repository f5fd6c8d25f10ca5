package reactor

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"novcomet/core"
	"novcomet/fcgi/fastcgi"
)

// conn is a connection of a web server. It carries one request at a time. If the web server asks for it
// (FCGI_KEEP_CONN), the connection is kept for another request.
type conn struct {
	reactor        *Reactor
	fd, generation int32 // Connections that had the same descriptor before have other generations.

	state   state
	id      uint16 // of the request
	keep    bool   // Keep the connection when the request has been answered.
	aborted bool   // The web server aborted the request. It ends when its result or outcome arrives.
	inHub   bool   // The subscriber waits in the hub.
	// roomNeeded is about how many bytes the answer needs while the subscriber waits for room, otherwise 0.
	roomNeeded int

	partial []byte         // bytes that were not handled so far, such as a part of a header
	content fastcgi.Header // of the record whose content is arriving; its lengths are what is still missing
	counted int            // how many bytes of this connection are counted in Reactor.received

	request    *fastcgi.Request // while it is being read
	subscriber *core.Subscriber // while a poll or a stream waits

	unsent *frame    // what the web server has not read completely; nil: nothing
	sent   int       // bytes of unsent that it has read
	since  time.Time // when the current deadline began to run; zero: there is none
}

// state is what a connection is doing.
type state uint8

const (
	idle    state = iota // It was kept, and no byte of the next request has arrived.
	reading              // A request is expected or incomplete.
	waiting              // A poll or stream waits, or a part of the stream is being sent.
	working              // The request is served outside the loop.
	ending               // The last bytes of the answer are being sent.
	closed
)

var (
	errNotFastCGI = errors.New("not a FastCGI record")
	errHTTP       = errors.New("a client speaks HTTP to this socket, which takes only FastCGI: write fastcgi_pass " +
		"instead of proxy_pass in nginx, fcgi:// instead of http:// in Apache, transport fastcgi in Caddy")
	errAborted = errors.New("the web server aborted the request")
	errGone    = errors.New("the web server closed the connection")
	errLate    = errors.New("the web server did not send its request, or did not read its answer, in time")
)

// ErrFull refuses a request, or drops an answer, when Options.MaxBuffered is reached. It also refuses a
// publication when Options.MaxConnections publications wait for their turn.
var ErrFull = errors.New("too many requests wait to be served, or answers to be read (max_buffered, max_serving)")

// addConn begins to serve a connection that was accepted.
func (r *Reactor) addConn(fd int) {
	r.generation++
	c := &conn{reactor: r, fd: int32(fd), generation: r.generation}
	if fd >= len(r.conns) {
		r.conns = append(r.conns, make([]*conn, fd+1-len(r.conns))...)
	}
	r.conns[fd] = c
	r.connections.Add(1)
	c.setState(reading)
	if err := r.system.add(c.fd, c.generation); err != nil {
		c.fail(err)
	}
	if r.isCrowded() {
		r.makePlace()
	}
}

// isCrowded reports whether there is no place for another connection.
func (r *Reactor) isCrowded() bool { return len(r.places) == cap(r.places) }

// makePlace lets an idle connection be closed. Otherwise, those that web servers keep could take all places.
func (r *Reactor) makePlace() {
	for _, c := range r.conns {
		if c != nil && c.state == idle {
			r.lastReads = append(r.lastReads, c)
			return
		}
	}
}

func (c *conn) setState(s state) {
	c.state = s
	c.updateDeadline()
}

// ready continues after an event of the connection's descriptor.
func (c *conn) ready(e readiness) {
	switch {
	case c.unsent == nil:
		c.read()
	case e.gone:
		c.fail(errGone)
	case e.write:
		c.flush()
	}
}

// serve parks a subscriber, or lets a job serve the request.
func (c *conn) serve(request *fastcgi.Request, opened Opened) {
	if opened.Subscriber != nil {
		c.subscribe(opened.Subscriber)
		return
	}
	c.setState(working)
	c.reactor.jobs.add(c, request, opened)
}

// abort ends the request because the web server has aborted it.
func (c *conn) abort() error {
	switch c.state {
	case waiting:
		c.abortSubscriber() // rule: server-ends-an-aborted-request
	case working:
		c.aborted = true // A publication goes on.
	case idle, reading: // The request is incomplete; if it began with these bytes, the state is still idle.
		return errAborted
	}
	return nil
}

// finish sends the last bytes of the answer.
func (c *conn) finish(f *frame) {
	c.unsubscribe()
	c.setState(ending)
	c.send(f)
}

// answered closes the connection, or keeps it for another request, when the answer has been sent.
func (c *conn) answered() {
	if !c.keep { // rule: server-keeps-a-connection-only-if-asked
		c.close()
		return
	}
	c.setState(idle)
	c.handle(nil) // A part of the next request may have arrived.
	if c.reactor.stopping || c.reactor.isCrowded() {
		c.reactor.lastReads = append(c.reactor.lastReads, c)
	}
}

// readLast closes an idle connection, unless its next request has arrived.
func (c *conn) readLast() {
	if c.state == idle {
		c.read()
	}
	if c.state == idle {
		c.close()
	}
}

// fail closes the connection because of an error, which it logs.
func (c *conn) fail(err error) {
	level := slog.LevelDebug // Web servers close connections all the time.
	if errors.Is(err, errHTTP) || errors.Is(err, ErrFull) {
		level = slog.LevelWarn
	}
	c.reactor.options.Log.Log(context.Background(), level, "a connection was closed", "error", err)
	c.close()
}

// close closes the connection, and ends its request.
func (c *conn) close() {
	if c.state == closed {
		return
	}
	c.unsubscribe()
	c.request, c.partial = nil, nil
	c.countReceived()
	c.setUnsent(nil)
	c.setState(closed)
	r := c.reactor
	r.conns[c.fd] = nil
	r.system.close(c.fd)
	r.connections.Add(-1)
	<-r.places
}
