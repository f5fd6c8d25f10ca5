//go:build e2e

package memcached_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/servertest"
	"novcomet/core/store"
	"novcomet/core/store/memcached"
	"novcomet/core/store/storetest"
)

// open opens the store of these servers, a comma-separated list.
func open(t testing.TB, servers string) *memcached.Store {
	t.Helper()
	const patient = 10 * time.Second // A healthy server on a busy machine may not answer for some seconds.
	return openWith(t, memcached.Options{Servers: strings.Split(servers, ","), Prefix: "novcomet:", Timeout: patient})
}

func openWith(t testing.TB, o memcached.Options) *memcached.Store {
	t.Helper()
	s, err := memcached.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// start starts a server and opens its store.
func start(t testing.TB, arguments ...string) (*servertest.Memcached, *memcached.Store) {
	t.Helper()
	server := servertest.StartMemcached(t, arguments...)
	return server, open(t, server.Address())
}

func publish(t testing.TB, s *memcached.Store, name string) event.Stamp {
	t.Helper()
	stamp, err := s.Publish(t.Context(), coretest.MustID(name), nil)
	if err != nil {
		t.Fatal(err)
	}
	return stamp
}

func stampOf(t testing.TB, s *memcached.Store, name string) event.Stamp {
	t.Helper()
	snapshot, err := s.Check(t.Context(), []event.ID{coretest.MustID(name)})
	if err != nil {
		t.Fatal(err)
	}
	return snapshot.Stamps[0]
}

func TestStore_KeepsContract(t *testing.T) {
	opened := func(t testing.TB, place string) store.Store { return open(t, place) }
	t.Run("one server that is killed", func(t *testing.T) {
		var server *servertest.Memcached
		storetest.Test(t, storetest.Subject{
			Place:     func(t testing.TB) string { server = servertest.StartMemcached(t); return server.Address() },
			Open:      opened,
			Interrupt: func(testing.TB) func() { server.Kill(); return server.Restart },
			SetStamp: func(_ testing.TB, id event.ID, stamp event.Stamp) {
				server.Set("novcomet:"+id.String(), fmt.Sprint(int64(stamp)))
			},
		})
	})
	t.Run("two servers that stop answering", func(t *testing.T) {
		var one, other *servertest.Memcached
		storetest.Test(t, storetest.Subject{
			Place: func(t testing.TB) string {
				one, other = servertest.StartMemcached(t), servertest.StartMemcached(t)
				return one.Address() + "," + other.Address()
			},
			Open: opened,
			Interrupt: func(testing.TB) func() {
				thawOne, thawOther := one.Freeze(), other.Freeze()
				return func() { thawOne(); thawOther() }
			},
		})
	})
}

func TestOpen_DoesNotConnectAndLaterErrorsNameTheServer(t *testing.T) {
	// The name with an empty label is invalid, so nobody asks a name server, which might not answer.
	for _, address := range []string{"127.0.0.1:1", "no..such-host:11211", "unix:/no/such/socket"} {
		s := openWith(t, memcached.Options{
			Servers: []string{address}, Prefix: strings.Repeat("x", memcached.MaxPrefix),
		})
		_, check := s.Check(t.Context(), []event.ID{coretest.MustID("a")})
		_, publish := s.Publish(t.Context(), coretest.MustID("a"), nil)
		for what, err := range map[string]error{"Check": check, "Publish": publish} {
			if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), strings.TrimPrefix(address, "unix:")) {
				t.Errorf("%s: %v; want ErrUnavailable with the server's address", what, err)
			}
		}
	}
}

func TestOpen_RefusesInvalidOptions(t *testing.T) {
	for _, o := range []memcached.Options{
		{},
		{Servers: []string{"127.0.0.1:1"}, Prefix: strings.Repeat("x", memcached.MaxPrefix+1)},
		{Servers: []string{"127.0.0.1:1"}, Prefix: "a b"},
		{Servers: []string{"127.0.0.1:1"}, Prefix: "a\x7f"},
	} {
		if _, err := memcached.Open(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestTiming_AllowsForSkew(t *testing.T) {
	s := openWith(t, memcached.Options{Servers: []string{"127.0.0.1:1"}, Skew: time.Second})
	if got, want := s.Timing(), (store.Timing{Lag: 1200 * time.Millisecond, Lead: time.Second}); got != want {
		t.Errorf("%+v; want %+v", got, want)
	}
}

func TestWatch_IsUnsupported(t *testing.T) {
	s := openWith(t, memcached.Options{Servers: []string{"127.0.0.1:1"}})
	if err := s.Watch(t.Context(), nil, func(...event.ID) {}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v; want ErrUnsupported", err)
	}
}
