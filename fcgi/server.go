package main

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/errors"

	"novcomet/conf"
	"novcomet/conf/build"
	"novcomet/core"
	"novcomet/core/cgienv"
	"novcomet/core/metrics"
	"novcomet/core/store"
)

// server accepts connections and serves their requests. gate.go has the way of a connection.
type server struct {
	endpoint   *core.Endpoint
	store      store.Store
	handler    *cgienv.Handler
	metrics    metrics.Metrics
	inForce    atomic.Pointer[inForce]
	started    conf.Loaded // the settings of the start
	responders *responders
	memory     memoryReleaser
	places     chan struct{} // one for each connection that there may be
	parked     atomic.Int64  // polls and streams on their connections
	began      time.Time
	log        *slog.Logger

	http    sync.Once      // the warning that a client speaks HTTP
	working sync.WaitGroup // the listeners and the connections

	mu       sync.Mutex           // protects the following
	all      map[*connection]bool // whether it is idle: kept for another request
	stopping bool
}

func newServer(opened store.Store, settings conf.Loaded, connections int, log *slog.Logger) *server {
	c := settings.Config
	s := &server{
		store: opened, started: settings, log: log, responders: newResponders(c.MaxServing),
		places: make(chan struct{}, connections), all: map[*connection]bool{}, began: time.Now(),
	}
	s.endpoint = core.NewEndpoint(opened, core.Options{
		Limits: build.Limits(c), Status: s.statusHandler(), Metrics: &s.metrics, Log: log,
	})
	s.handler = &cgienv.Handler{Endpoint: s.endpoint, Location: s.location, Log: log}
	s.inForce.Store(newInForce(c))
	return s
}

func (s *server) location(variables map[string]string) (*core.Location, error) {
	return s.inForce.Load().locations.Of(variables)
}

// serve accepts connections until the listener is closed. If accept fails, for example because too many files
// are open, it tries again after a pause.
func (s *server) serve(l net.Listener) {
	const shortest, longest = 5 * time.Millisecond, time.Second
	pause := shortest
	for {
		s.places <- struct{}{}
		raw, err := l.Accept()
		if err == nil {
			pause = shortest
			s.enter(newConnection(raw, s.inForce.Load().limits.time))
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

// enter starts to serve a connection, for which there is a place. It is served until leave.
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

// keep waits for the next request on a connection that the web server keeps. It reports whether there is one.
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

// stop answers all waiting requests, serves those that have arrived, and closes all connections. When ctx
// ends, it closes the rest.
func (s *server) stop(ctx context.Context) {
	s.mu.Lock()
	s.stopping = true
	s.endpoint.Drain()
	for c, idle := range s.all {
		if idle {
			c.interrupt()
		}
	}
	s.mu.Unlock()

	finished := make(chan struct{})
	go func() {
		s.working.Wait()
		s.endpoint.Close() // No request can arrive any more.
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
	// An accept cannot be interrupted if another process has made the shared socket a blocking one.
	select {
	case <-finished:
	case <-time.After(200 * time.Millisecond):
	}
	select {
	case <-s.endpoint.Ended():
		_ = s.store.Close() // The process ends.
	case <-time.After(100 * time.Millisecond):
	}
}
