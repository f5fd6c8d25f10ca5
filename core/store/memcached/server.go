package memcached

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	pkgerrors "github.com/pkg/errors"

	"novcomet/core/store"
)

// server is one memcached server. It adds two limits to the client: the time of a whole exchange, and what a
// server that is down costs polls that wait for events of other servers.
type server struct {
	network, address string
	timeout          time.Duration
	client           *memcache.Client

	mu       sync.Mutex // protects the fields below
	down     error      // why the server is down; nil if it is not
	lastGet  time.Time  // when the last get was sent
	answered time.Time  // when the latest exchange that was answered began
}

func newServer(address string, timeout time.Duration) *server {
	const maxIdle = 16 // connections that stay open between bursts of publications
	s := &server{network: "tcp", address: address, timeout: timeout}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		s.network, s.address = "unix", path
	}
	s.client = memcache.NewFromSelector(s)
	s.client.Timeout = timeout
	s.client.MaxIdleConns = maxIdle
	return s
}

// The server is its own net.Addr. It keeps the name, so each new connection resolves it.

func (s *server) Network() string { return s.network }
func (s *server) String() string  { return s.address }

// The server is the only one that its client selects.

func (s *server) PickServer(string) (net.Addr, error)  { return s, nil }
func (s *server) Each(each func(net.Addr) error) error { return each(s) }

func (s *server) close() error {
	return pkgerrors.Wrapf(s.client.Close(), "memcached: close the connections to %s", s.address)
}

// get returns the values of the keys that exist. It asks a server that is down only from time to time, so
// that polls for events of other servers do not wait for it.
func (s *server) get(ctx context.Context, keys []string) (map[string][]byte, error) {
	const retryInterval = 500 * time.Millisecond
	s.mu.Lock()
	now, down := time.Now(), s.down
	if down != nil && now.Sub(s.lastGet) < retryInterval {
		s.mu.Unlock()
		return nil, s.unavailable(down)
	}
	s.lastGet = now
	s.mu.Unlock()
	var items map[string]*memcache.Item
	err := s.exchange(ctx, func() (err error) { items, err = s.client.GetMulti(keys); return err })
	if err != nil {
		return nil, s.unavailable(err)
	}
	values := make(map[string][]byte, len(items))
	for key, item := range items {
		values[key] = item.Value
	}
	return values, nil
}

var errNoAnswer = errors.New("no answer in time")

// exchange sends a command and waits for the answer, until the timeout is over or ctx ends. If the server is
// down, it waits only for the time that a healthy server takes. A later answer still marks the server as up.
// So after [errNoAnswer] and after the end of ctx, the command may still run.
func (s *server) exchange(ctx context.Context, command func() error) error {
	const healthy = 50 * time.Millisecond
	timeout := s.timeout
	if s.isDown() {
		timeout = min(timeout, healthy)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errNoAnswer)
	defer cancel()
	result, began := make(chan error, 1), time.Now()
	go func() { // The client's own timeout ends it.
		err := command()
		if err != nil && isBroken(err) && !isTimeout(err) {
			// After a restart of the server, all idle connections are broken.
			_ = s.client.Close()
			err = command()
		}
		s.record(began, err)
		result <- err
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		err := context.Cause(ctx)
		if errors.Is(err, errNoAnswer) {
			s.record(began, err)
		}
		return err
	}
}

// record notes whether the server is up or down after an exchange. A failure does not count if an exchange
// that began later was answered.
func (s *server) record(began time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !isBroken(err):
		s.down = nil
		if began.After(s.answered) {
			s.answered = began
		}
	case !began.Before(s.answered):
		s.down = err
	}
}

func (s *server) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down != nil
}

func (s *server) unavailable(err error) error {
	return fmt.Errorf("%w: %w", store.ErrUnavailable, pkgerrors.Wrapf(err, "memcached at %s", s.address))
}

// isBroken reports whether the error is about the connection. Otherwise the server has sent it.
func isBroken(err error) bool {
	_, network := errors.AsType[net.Error](err)
	return network || isTimeout(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, errNoAnswer)
}

func isTimeout(err error) bool {
	_, connecting := errors.AsType[*memcache.ConnectTimeoutError](err)
	network, ok := errors.AsType[net.Error](err)
	return connecting || ok && network.Timeout()
}
