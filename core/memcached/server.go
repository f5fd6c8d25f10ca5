package memcached

import (
	"context"
	stderrors "errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/pkg/errors"

	"novcomet/core"
)

// server is one memcached. It bounds what the client leaves open: how long all of an exchange takes, and what a server that is
// gone costs those who wait for others.
type server struct {
	network, address string
	timeout          time.Duration
	client           *memcache.Client

	mu    sync.Mutex // protects the following
	gone  error      // why; nil: it is not
	asked time.Time  // when it was last asked for values
	heard time.Time  // when the exchange began that was last answered

	closed atomic.Bool // no connection is kept any more
}

var (
	_ net.Addr                = (*server)(nil)
	_ memcache.ServerSelector = (*server)(nil)
)

func newServer(address string, timeout time.Duration) *server {
	const spare = 16 // connections that stay open: a burst of publications need not open them anew
	s := &server{network: "tcp", address: address, timeout: timeout}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		s.network, s.address = "unix", path
	}
	s.client = memcache.NewFromSelector(s)
	s.client.Timeout = timeout
	s.client.MaxIdleConns = spare
	return s
}

// As an address it is not resolved: the name is looked up when it is connected to, each time.

func (s *server) Network() string { return s.network }
func (s *server) String() string  { return s.address }

// As a selector it is the only server: which one has a key, the store knows.

func (s *server) PickServer(string) (net.Addr, error)  { return s, nil }
func (s *server) Each(each func(net.Addr) error) error { return each(s) }

// values asks for the keys at once. A server that is gone is asked only from time to time, so that those who wait for events
// on others do not wait for it.
func (s *server) values(ctx context.Context, keys []string) (map[string][]byte, error) {
	const again = 500 * time.Millisecond
	s.mu.Lock()
	now, gone := time.Now(), s.gone
	if gone != nil && now.Sub(s.asked) < again {
		s.mu.Unlock()
		return nil, s.unavailable(gone)
	}
	s.asked = now
	s.mu.Unlock()
	items, err := exchange(ctx, s, func() (map[string]*memcache.Item, error) { return s.client.GetMulti(keys) })
	if err != nil {
		return nil, s.unavailable(err)
	}
	values := make(map[string][]byte, len(items))
	for key, item := range items {
		values[key] = item.Value
	}
	return values, nil
}

var errSilent = stderrors.New("no answer in time")

// exchange sends one command and waits for its answer, at most for the timeout, and until ctx ends. While the server is gone,
// it waits only as long as a healthy one takes; what is heard of it later still counts.
func exchange[T any](ctx context.Context, s *server, command func() (T, error)) (answer T, err error) {
	const healthy = 50 * time.Millisecond
	patience := s.timeout
	if s.isGone() {
		patience = min(patience, healthy)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errSilent)
	defer cancel()
	type outcome struct {
		answer T
		err    error
	}
	heard, began := make(chan outcome, 1), time.Now()
	go func() { // It ends by itself when the client's own timeouts are over.
		answer, err := command()
		if err != nil && isBroken(err) && !isTimeout(err) {
			// Where the server was started again, each connection that was kept is broken.
			_ = s.client.Close()
			answer, err = command()
		}
		if s.closed.Load() {
			_ = s.client.Close() // The client would keep this connection.
		}
		s.hear(began, err)
		heard <- outcome{answer, err}
	}()
	select {
	case o := <-heard:
		return o.answer, o.err
	case <-ctx.Done():
		err := context.Cause(ctx)
		if errors.Is(err, errSilent) {
			s.hear(began, err)
		}
		return answer, err
	}
}

// hear takes in what an exchange says of the server, unless one that began later was answered.
func (s *server) hear(began time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !isBroken(err):
		s.gone, s.heard = nil, began
	case !began.Before(s.heard):
		s.gone = err
	}
}

func (s *server) isGone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone != nil
}

func (s *server) unavailable(err error) error {
	return fmt.Errorf("%w: %w", core.ErrUnavailable, errors.Wrapf(err, "memcached at %s", s.address))
}

// isBroken reports whether the error is about the connection, and not what the server said.
func isBroken(err error) bool {
	var network net.Error
	var connecting *memcache.ConnectTimeoutError
	return errors.As(err, &network) || errors.As(err, &connecting) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, errSilent)
}

func isTimeout(err error) bool {
	var network net.Error
	var connecting *memcache.ConnectTimeoutError
	return errors.As(err, &connecting) || errors.As(err, &network) && network.Timeout()
}
