package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"novcomet/core"
	"novcomet/core/hub"
	"novcomet/fcgi/fastcgi"
)

// The gate stands before net/http/fcgi. A poll that has to wait is parked: it takes one goroutine that is
// blocked in a Read of its connection, no buffers, and a place in the hub. net/http/fcgi only writes the
// answer.
//
// The way of a connection: its request is read (handle) and waits (park, rest, doze). It continues when there
// is an answer or when data arrives (Deliver, stir), and is answered. Then the connection is kept for the
// next request (keep), or closed (leave). A stream (stream.go) goes the same way, but many parts are sent
// meanwhile.

const speaksHTTP = "a client speaks HTTP to this socket, which takes only FastCGI: " +
	"write fastcgi_pass instead of proxy_pass in nginx, fcgi:// instead of http:// in Apache, transport fastcgi in Caddy"

// handle serves the requests of a connection that the server has entered, until the connection ends or a
// request is parked.
func (s *server) handle(c *connection) {
	for {
		limits := s.inForce.Load().limits
		_ = c.SetReadDeadline(time.Now().Add(limits.time))
		r, err := c.read(limits)
		if err != nil {
			if errors.Is(err, errHTTP) { // Once, because anybody who can connect can repeat it.
				s.http.Do(func() { s.log.Warn(speaksHTTP) })
			}
			s.log.Debug("a connection ended without another request", "why", err)
			break // No answer is possible: the web server has gone, or it does not speak FastCGI.
		}
		c.resume()
		s.memory.note()
		ctx, callOff := context.WithCancelCause(context.Background())
		opened := s.open(ctx, r)
		if subscriber := opened.Subscriber; subscriber != nil {
			callOff(nil)
			if subscriber.IsStream() {
				s.stream(c, r, subscriber)
			} else {
				s.park(c, r, subscriber)
			}
			return
		}
		err = s.answer(c, r.id, opened, callOff)
		callOff(nil)
		if err != nil || !r.keep || !s.keep(c) {
			break
		}
	}
	s.leave(c)
}

// open returns the answer to a request, or the subscriber that waits for it.
func (s *server) open(ctx context.Context, r *request) core.Opened {
	switch {
	case r.refused == nil:
		if r.variables["CONTENT_LENGTH"] == "-1" { // Caddy sends it for a chunked body.
			delete(r.variables, "CONTENT_LENGTH")
		}
		return s.handler.Open(ctx, r.variables, bytes.NewReader(r.body))
	case errors.Is(r.refused, fastcgi.ErrParams):
		return core.Opened{Handler: s.handler.Refuse(r.variables, http.StatusBadRequest, r.refused.Error())}
	default:
		return core.Opened{Handler: s.handler.Refuse(r.variables, http.StatusRequestEntityTooLarge, r.refused.Error())}
	}
}

// parked is a poll that waits.
type parked struct {
	server *server
	*connection
	id         uint16
	keep       bool
	subscriber *core.Subscriber
	result     atomic.Pointer[hub.Result]
}

// park lets the poll wait on its connection.
func (s *server) park(c *connection, r *request, poll *core.Subscriber) {
	p := &parked{server: s, connection: c, id: r.id, keep: r.keep, subscriber: poll}
	s.parked.Add(1)
	c.release()
	poll.Wait(p)
	c.rest(p.stir)
}

// Deliver is called by the hub when there is an answer.
func (p *parked) Deliver(result *hub.Result) {
	p.result.Store(result)
	p.interrupt()
}

// rest calls stir in a new goroutine: with nil when data arrives, with an error when the connection is
// interrupted or ends.
func (c *connection) rest(stir func(error)) {
	if c.in == nil {
		go c.doze(stir)
	} else {
		go stir(nil)
	}
}

// doze blocks until data arrives. A goroutine that waits for hours costs only its stack, so doze calls
// nothing that would make the stack grow, and starts a new goroutine for the rest.
func (c *connection) doze(stir func(error)) {
	n, err := c.Conn.Read(c.ahead[:])
	c.has = n == 1
	go stir(err)
}

// stir continues when data has arrived on the connection, or there is an answer.
func (p *parked) stir(err error) {
	p.server.parked.Add(-1)
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		err = p.watch(p.id, p.gaveUp)
	}
	result := p.result.Load()
	switch {
	case err != nil && !errors.Is(err, errTorn): // The web server has gone.
		p.subscriber.Cancel()
		p.server.memory.note()
		p.server.leave(p.connection)
		return
	case result == nil:
		p.write(fastcgi.AppendEnd(nil, p.id, fastcgi.RequestComplete)) // aborted
	default:
		p.server.memory.note()
		release := p.server.responders.acquireFor(result.Size())
		answer := p.server.responders.respond(p.id, p.subscriber.Answer(result))
		p.writeWithin(answer, p.timeout, p.server.responders.contended)
		release()
	}
	p.server.proceed(p.connection, err == nil && p.keep)
}

// proceed goes on with a connection whose request is done.
func (s *server) proceed(c *connection, keep bool) {
	if keep && s.keep(c) {
		s.handle(c)
	} else {
		s.leave(c)
	}
}

// gaveUp is called when the web server has aborted the poll, or has gone. If Cancel comes too late, Deliver
// interrupts.
func (p *parked) gaveUp(error) {
	if p.subscriber.Cancel() {
		p.interrupt()
	}
}

// answer answers a request that does not wait. callOff is called when the web server aborts the request, or
// has gone.
func (s *server) answer(c *connection, id uint16, opened core.Opened, callOff func(error)) error {
	written := make(chan []byte, 1)
	go func() {
		if opened.Publishes {
			defer s.responders.publishing.acquire()()
		}
		written <- s.responders.respond(id, opened.Handler)
		c.interrupt()
	}()
	err := c.watch(id, callOff)
	// The answer is written only now, because the web server may send its next request at once, and watch
	// would refuse it.
	c.write(<-written)
	return err
}
