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

// The gate stands before net/http/fcgi. A poll that has to wait is parked: one goroutine blocked in one Read
// of its connection, without buffers, and a place in the loop. Only when there is an answer to write,
// net/http/fcgi has to do with it.
//
// So a connection goes this way: its request is read (handle), waits (park, rest, doze), goes on when there
// is an answer or something comes in (Deliver, stir), and is answered; the connection is kept for the next
// request, or left. A stream (stream.go) goes the same way, but is sent many parts while it rests.

const speaksHTTP = "a client speaks HTTP to this socket, which takes only FastCGI: " +
	"write fastcgi_pass instead of proxy_pass in nginx, fcgi:// instead of http:// in Apache, transport fastcgi in Caddy"

// handle serves what comes in on a connection that the server has entered, until the connection ends or a
// poll is parked.
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
			break // There is nobody to tell: either the web server has left, or it does not speak FastCGI.
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

// open decides what becomes of a request.
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

// rest goes on with stir, in a goroutine of its own, when something comes in or the connection is
// interrupted, which is the error.
func (c *connection) rest(stir func(error)) {
	if c.in == nil {
		go c.doze(stir)
	} else {
		go stir(nil)
	}
}

// doze blocks until something comes in. Its stack is all that a goroutine costs which waits for hours, so it
// calls nothing else that would make it grow, and leaves the rest to a new one.
func (c *connection) doze(stir func(error)) {
	n, err := c.Conn.Read(c.ahead[:])
	c.has = n == 1
	go stir(err)
}

// stir goes on when the rest has ended, with its error.
func (p *parked) stir(err error) {
	p.server.parked.Add(-1)
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		err = p.watch(p.id, p.gaveUp)
	}
	result := p.result.Load()
	switch {
	case err != nil && !errors.Is(err, errTorn): // Nobody is there any more.
		p.subscriber.Cancel()
		p.server.memory.note()
		p.server.leave(p.connection)
		return
	case result == nil:
		p.write(fastcgi.AppendEnd(nil, p.id, fastcgi.RequestComplete)) // aborted
	default:
		p.server.memory.note()
		leave := p.server.responders.acquireFor(result.Size())
		answer := p.server.responders.respond(p.id, p.subscriber.Answer(result))
		p.writeWithin(answer, p.timeout, p.server.responders.contended)
		leave()
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

// gaveUp is called when the web server gives the poll up. If it is too late for that, Deliver interrupts.
func (p *parked) gaveUp(error) {
	if p.subscriber.Cancel() {
		p.interrupt()
	}
}

// answer answers at once. callOff is called when the web server gives the request up.
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
	// Only now: what the web server sends after the answer is its next request, and that is not for watch to
	// read.
	c.write(<-written)
	return err
}
