package main

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"novcomet/conf"
	"novcomet/conf/build"
	"novcomet/core"
	"novcomet/core/metrics"
	"novcomet/core/store"
	"novcomet/fcgi/reactor"
)

// server is the endpoint and the reactor that holds its connections.
type server struct {
	endpoint       *core.Endpoint
	store          store.Store
	metrics        metrics.Metrics
	inForce        atomic.Pointer[inForce]
	startSettings  conf.Loaded
	reactor        *reactor.Reactor
	maxConnections int
	began          time.Time
	log            *slog.Logger

	running   sync.WaitGroup // the reactor
	accepting sync.WaitGroup // the acceptors
	listeners []net.Listener
	acceptors []*reactor.Acceptor
}

// newServer starts a server. It accepts no connections until accept is called.
func newServer(opened store.Store, settings conf.Loaded, connections int, log *slog.Logger) (*server, error) {
	c := settings.Config
	s := &server{
		store: opened, startSettings: settings, maxConnections: connections, log: log, began: time.Now(),
	}
	var err error
	s.reactor, err = reactor.New(s, reactor.Options{
		MaxConnections: connections, MaxServing: c.MaxServing, MaxBuffered: c.MaxBuffered, Log: log,
	})
	if err != nil {
		return nil, err
	}
	s.endpoint = core.NewEndpoint(opened, core.Options{
		Limits: build.Limits(c), Status: s.statusHandler(), Metrics: &s.metrics, Log: log,
	})
	s.inForce.Store(newInForce(c))
	s.running.Go(s.reactor.Run)
	return s, nil
}

// accept begins to accept the connections of a socket.
func (s *server) accept(l net.Listener, allowed allowlist) error {
	a, err := s.reactor.NewAcceptor(l, allowed.check(s.log))
	if err != nil {
		return err
	}
	s.listeners, s.acceptors = append(s.listeners, l), append(s.acceptors, a)
	s.accepting.Go(a.Serve)
	return nil
}

// stop answers all waiting requests, serves those that have arrived, and closes each connection afterwards.
// When ctx ends, it closes those that are left.
func (s *server) stop(ctx context.Context) {
	s.endpoint.Drain()
	for i, l := range s.listeners {
		go s.acceptors[i].Close()
		l.Close()
	}
	// An acceptor may end later: if it waits for a place, or if another process has made the shared socket a
	// blocking one, so that accept cannot be interrupted.
	waitFor(done(&s.accepting), time.Second)
	s.reactor.Stop()
	finished := done(&s.running)
	select {
	case <-finished:
	case <-ctx.Done():
		s.reactor.Close()
		<-finished
	}
	s.endpoint.Close() // No request can arrive any more.
	if waitFor(s.endpoint.Ended(), 100*time.Millisecond) && s.reactor.Serving() == 0 {
		_ = s.store.Close() // The process ends.
	}
}

// done returns a channel that is closed when all goroutines of the group have ended.
func done(group *sync.WaitGroup) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		group.Wait()
		close(ended)
	}()
	return ended
}

// waitFor waits for the channel, and reports whether it was closed in time.
func waitFor(closed <-chan struct{}, limit time.Duration) bool {
	select {
	case <-closed:
		return true
	case <-time.After(limit):
		return false
	}
}
