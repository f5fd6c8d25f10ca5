package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/errors"

	"novcomet/core"
)

// server accepts connections and serves what comes in on them. What has a connection does is in gate.go.
type server struct {
	policy     atomic.Pointer[policy] // in force
	responders *responders
	memory     housekeeping
	places     chan struct{} // one for each connection that there may be
	parked     atomic.Int64  // polls and streams on their connections
	began      time.Time
	status     http.Handler // answers with the figures
	log        *slog.Logger

	http    sync.Once      // the warning that a client speaks HTTP
	working sync.WaitGroup // the listeners and the connections

	mu       sync.Mutex           // protects the following
	all      map[*connection]bool // whether it is idle: kept for another request
	policies []*policy            // in which polls may wait
	past     core.Figures         // of policies in which none do any more
	stopping bool
}

func newServer(p policy, connections, serving int, log *slog.Logger) *server {
	s := &server{
		log: log, responders: newResponders(serving), places: make(chan struct{}, connections), all: map[*connection]bool{},
		began: time.Now(),
	}
	s.status = s.showing()
	s.adopt(p)
	return s
}

// adopt puts a policy in force. Polls that wait go on in the one under which they came; streams end with what comes next, and
// come again.
func (s *server) adopt(p policy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.gateway.Status(s.status)
	if old := s.policy.Swap(&p); old != nil {
		old.users.retire() // Whoever finds that takes the new one, which is in its place.
		old.gateway.Retire()
	}
	over := func(old *policy) bool {
		if !old.users.over() {
			return false
		}
		s.past = s.past.Plus(old.gateway.Figures().Counted())
		return true
	}
	s.policies = append(slices.DeleteFunc(s.policies, over), &p)
}

// use returns the policy in force. Whoever has used it leaves its users.
func (s *server) use() *policy {
	for {
		if p := s.policy.Load(); p.users.enter() {
			return p
		}
	}
}

// serve accepts connections until the listener is closed. That accept fails, as it does with too many open files, is no
// reason to stop: it tries again, after a pause.
func (s *server) serve(l net.Listener) {
	const shortest, longest = 5 * time.Millisecond, time.Second
	pause := shortest
	for {
		s.places <- struct{}{}
		raw, err := l.Accept()
		if err == nil {
			pause = shortest
			s.enter(newConnection(raw, s.policy.Load().limits.time))
			continue
		}
		<-s.places
		if errors.Is(err, net.ErrClosed) {
			return
		}
		s.log.Error("accept failed; trying again", "error", err)
		time.Sleep(pause)
		pause = min(2*pause, longest)
	}
}

// enter takes a connection on, which has a place, until leave.
func (s *server) enter(c *connection) {
	s.mu.Lock()
	s.all[c] = false
	s.mu.Unlock()
	s.working.Add(1)
	go s.handle(c)
}

func (s *server) leave(c *connection) {
	s.mu.Lock()
	delete(s.all, c)
	s.mu.Unlock()
	c.Close()
	<-s.places
	s.working.Done()
}

// keep waits for the next request on a connection that is kept, for as long as the web server wants to keep it. It reports
// whether there is one.
func (s *server) keep(c *connection) bool {
	c.resume()
	s.mu.Lock()
	s.all[c] = true
	if s.stopping {
		c.interrupt()
	}
	s.mu.Unlock()
	err := c.await()
	s.mu.Lock()
	s.all[c] = false
	s.mu.Unlock()
	return err == nil
}

// stop lets whoever waits be answered and what has come in be served, and closes all connections then; what is not done
// when ctx ends is cut off.
func (s *server) stop(ctx context.Context) {
	s.mu.Lock()
	s.stopping = true
	for _, p := range s.policies {
		p.gateway.Drain()
		p.gateway.Close()
	}
	for c, idle := range s.all {
		if idle {
			c.interrupt()
		}
	}
	s.mu.Unlock()

	finished := make(chan struct{})
	go func() {
		s.working.Wait()
		s.responders.close()
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
