package main

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/pkg/errors"

	"novcomet/core"
	"novcomet/core/gateway"
)

// server accepts connections and serves what comes in on them.
type server struct {
	gateway *gateway.Gateway
	limits  limits
	log     *slog.Logger

	working sync.WaitGroup // the listeners and the connections

	mu       sync.Mutex // protects the following
	idle     map[*connection]bool
	all      map[*connection]bool
	stopping bool
}

func newServer(g *gateway.Gateway, l limits, log *slog.Logger) *server {
	return &server{gateway: g, limits: l, log: log, idle: map[*connection]bool{}, all: map[*connection]bool{}}
}

// serve accepts connections until the listener is closed. That accept fails, as it does with too many open files, is no
// reason to stop: it tries again, after a pause.
func (s *server) serve(l net.Listener) {
	const shortest, longest = 5 * time.Millisecond, time.Second
	pause := shortest
	for {
		raw, err := l.Accept()
		switch {
		case err == nil:
			pause = shortest
			s.working.Go(func() { s.handle(newConnection(raw, s.limits.time)) })
		case errors.Is(err, net.ErrClosed):
			return
		default:
			if pause == shortest {
				s.log.Error("can't accept connections; trying again", "error", err)
			}
			time.Sleep(pause)
			pause = min(2*pause, longest)
		}
	}
}

// handle serves one request after the other.
func (s *server) handle(c *connection) {
	s.enter(c)
	defer s.leave(c)
	for first := true; ; first = false {
		if !first && !s.await(c) {
			return
		}
		_ = c.SetReadDeadline(time.Now().Add(s.limits.time))
		r, err := c.read(s.limits)
		if err != nil {
			return // There is nobody to tell: either the web server has left, or it does not speak FastCGI.
		}
		_ = c.SetReadDeadline(time.Time{})
		if err := s.answer(c, r); err != nil || !r.keep {
			return
		}
	}
}

func (s *server) answer(c *connection, r *request) error {
	ctx, callOff := context.WithCancelCause(context.Background())
	defer callOff(nil)
	unwatched := make(chan struct{})
	done := c.respond(r.id, unwatched, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch {
		case errors.Is(r.refused, errPairs):
			core.WriteError(w, http.StatusBadRequest, r.refused.Error())
		case r.refused != nil:
			core.WriteError(w, http.StatusRequestEntityTooLarge, r.refused.Error())
		default:
			s.gateway.Serve(ctx, w, r.variables, bytes.NewReader(r.body))
		}
	}))
	err := c.watch(r, callOff)
	close(unwatched)
	<-done
	return err
}

// await waits for the next request on a connection that is kept, for as long as the web server wants to keep it. It
// reports whether there is one.
func (s *server) await(c *connection) bool {
	_ = c.SetReadDeadline(time.Time{})
	s.mu.Lock()
	stopping := s.stopping
	s.idle[c] = true
	s.mu.Unlock()
	if stopping && c.in.Buffered() == 0 {
		return false
	}
	_, err := c.in.Peek(1)
	s.mu.Lock()
	delete(s.idle, c)
	s.mu.Unlock()
	return err == nil
}

func (s *server) enter(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[c] = true
}

func (s *server) leave(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, c)
	delete(s.idle, c)
	c.Close()
}

// stop lets whoever waits be answered and what has come in be served, and closes all connections then; what is not done
// when ctx ends is cut off.
func (s *server) stop(ctx context.Context) {
	s.gateway.Drain()
	s.mu.Lock()
	s.stopping = true
	for c := range s.idle {
		c.interrupt()
	}
	s.mu.Unlock()

	finished := make(chan struct{})
	go func() {
		s.working.Wait()
		close(finished)
	}()
	select {
	case <-finished:
	case <-ctx.Done():
		s.mu.Lock()
		for c := range s.all {
			c.Close()
		}
		s.mu.Unlock()
	}
	// An accept can't be interrupted where somebody else has made the shared socket a blocking one.
	select {
	case <-finished:
	case <-time.After(200 * time.Millisecond):
	}
}
