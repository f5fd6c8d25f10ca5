package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"novcomet/core"
)

// The gate stands before net/http/fcgi. A poll that has to wait is parked here: one goroutine blocked in one Read of its
// connection, without buffers, and a place in the loop. Only when there is an answer to write, net/http/fcgi has to do
// with it.

// handle serves what comes in on a connection that the server has entered, until the connection ends or a poll is parked.
func (s *server) handle(c *connection) {
	for {
		policy := s.policy.Load()
		_ = c.SetReadDeadline(time.Now().Add(policy.limits.time))
		r, err := c.read(policy.limits)
		if err != nil {
			break // There is nobody to tell: either the web server has left, or it does not speak FastCGI.
		}
		c.resume()
		ctx, callOff := context.WithCancelCause(context.Background())
		poll, answer := policy.open(ctx, r)
		if poll != nil {
			callOff(nil)
			// A goroutine's stack stays as large as reading has made it. A new one is small.
			go s.park(c, r.id, r.keep, poll)
			return
		}
		err = s.answer(c, r.id, answer, callOff)
		callOff(nil)
		if err != nil || !r.keep || !s.keep(c) {
			break
		}
	}
	s.leave(c)
}

// open returns the poll that a request is, or what answers it.
func (p *policy) open(ctx context.Context, r *request) (*core.Poll, http.Handler) {
	switch {
	case r.refused == nil:
		return p.gateway.Open(ctx, r.variables, bytes.NewReader(r.body))
	case errors.Is(r.refused, errPairs):
		return nil, refusal(http.StatusBadRequest, r.refused)
	default:
		return nil, refusal(http.StatusRequestEntityTooLarge, r.refused)
	}
}

func refusal(status int, reason error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { core.WriteError(w, status, reason.Error()) })
}

// park lets the poll wait, and answers it. If the web server leaves first, it is forgotten.
func (s *server) park(c *connection, id uint16, keep bool, poll *core.Poll) {
	var answer http.Handler
	answered := make(chan struct{})
	leave := poll.Enter(func(h http.Handler) {
		answer = h
		c.interrupt()
		close(answered)
	})
	c.release()
	aborted := false
	err := c.watch(id, func(error) {
		if leave() {
			aborted = true
			c.interrupt()
		}
	})
	switch {
	case err != nil && !errors.Is(err, errTorn): // Nobody is there any more.
		s.leave(c)
		return
	case aborted:
		c.write(appendEnd(nil, id, requestComplete))
	default:
		<-answered
		s.responders.respond(c, id, answer, func() {})
	}
	if err == nil && keep && s.keep(c) {
		s.handle(c)
	} else {
		s.leave(c)
	}
}

// answer answers at once. callOff is called when the web server gives the request up.
func (s *server) answer(c *connection, id uint16, answer http.Handler, callOff func(error)) error {
	unwatched := make(chan struct{})
	var sent sync.WaitGroup
	sent.Go(func() {
		// What the web server sends after the answer's last record is its next request: that is not for watch to read.
		s.responders.respond(c, id, answer, func() {
			c.interrupt()
			<-unwatched
		})
	})
	err := c.watch(id, callOff)
	close(unwatched)
	sent.Wait()
	return err
}
