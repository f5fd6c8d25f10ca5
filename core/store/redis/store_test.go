//go:build e2e

package redis_test

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/servertest"
	"novcomet/core/store"
	"novcomet/core/store/redis"
	"novcomet/core/store/storetest"
)

const prefix = "comet-test:"

const (
	// patient is the timeout of a store whose server answers, also on a busy machine.
	patient = 30 * time.Second
	// impatient is the timeout of a store whose server does not answer.
	impatient = 2 * time.Second
)

func open(t testing.TB, o redis.Options) *redis.Store {
	t.Helper()
	if o.Prefix == "" {
		o.Prefix = prefix
	}
	if o.Timeout == 0 {
		o.Timeout = patient
	}
	s, err := redis.Open(o)
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
func start(t testing.TB) (*servertest.Redis, *redis.Store) {
	t.Helper()
	server := servertest.StartRedis(t, servertest.RedisOptions{})
	return server, open(t, redis.Options{Addresses: []string{server.Address()}})
}

func publish(t testing.TB, s *redis.Store, name string) event.Stamp {
	t.Helper()
	stamp, err := s.Publish(t.Context(), coretest.MustID(name), nil)
	if err != nil {
		t.Fatal(err)
	}
	return stamp
}

func check(t testing.TB, s *redis.Store, names ...string) store.Snapshot {
	t.Helper()
	ids := make([]event.ID, len(names))
	for i, name := range names {
		ids[i] = coretest.MustID(name)
	}
	snapshot, err := s.Check(t.Context(), ids)
	if err = errors.Join(err, snapshot.Partial); err != nil {
		t.Fatal(err)
	}
	return snapshot
}

func TestStore_KeepsContract(t *testing.T) {
	opened := func(o redis.Options) func(testing.TB, string) store.Store {
		return func(t testing.TB, place string) store.Store {
			o.Addresses = strings.Split(place, ",")
			return open(t, o)
		}
	}
	t.Run("one server that is killed", func(t *testing.T) {
		var server *servertest.Redis
		storetest.Test(t, storetest.Subject{
			Place: func(t testing.TB) string {
				server = servertest.StartRedis(t, servertest.RedisOptions{})
				return server.Address()
			},
			Open:      opened(redis.Options{}),
			Interrupt: func(testing.TB) func() { server.Kill(); return server.Restart },
			SetStamp: func(_ testing.TB, id event.ID, stamp event.Stamp) {
				server.Do("HSET", prefix+id.String(), "s", int64(stamp))
			},
		})
	})
	t.Run("one server that stops answering", func(t *testing.T) {
		var server *servertest.Redis
		storetest.Test(t, storetest.Subject{
			Place: func(t testing.TB) string {
				server = servertest.StartRedis(t, servertest.RedisOptions{})
				return server.Address()
			},
			Open:      opened(redis.Options{Timeout: 5 * time.Second}),
			Interrupt: func(testing.TB) func() { return server.Freeze() },
		})
	})
	t.Run("the master that Sentinels name", func(t *testing.T) {
		var replicated *servertest.Replicated
		storetest.Test(t, storetest.Subject{
			Place: func(t testing.TB) string {
				replicated = servertest.StartReplicated(t, servertest.RedisOptions{}, servertest.RedisOptions{})
				return strings.Join(replicated.Sentinels, ",")
			},
			Open:      opened(redis.Options{Master: servertest.MasterName}),
			Interrupt: func(testing.TB) func() { replicated.Kill(); return replicated.Restart },
		})
	})
	t.Run("a Cluster", func(t *testing.T) {
		var cluster *servertest.Cluster
		storetest.Test(t, storetest.Subject{
			Place: func(t testing.TB) string {
				cluster = servertest.StartCluster(t, make([]servertest.RedisOptions, 3)...)
				return strings.Join(cluster.Addresses(), ",")
			},
			Open:      opened(redis.Options{}),
			Interrupt: func(testing.TB) func() { cluster.Kill(); return cluster.Restart },
		})
	})
}

func TestOpen_NeedsAnAddress(t *testing.T) {
	if _, err := redis.Open(redis.Options{}); err == nil {
		t.Error("no error")
	}
}

func TestOpen_DoesNotConnect(t *testing.T) {
	server := servertest.StartRedis(t, servertest.RedisOptions{})
	proxy := servertest.StartProxy(t, server.Address())
	s := open(t, redis.Options{Addresses: []string{proxy.Address}})
	if n := proxy.Accepted(); n != 0 {
		t.Errorf("%d connections after Open; want 0", n)
	}
	publish(t, s, "a")
	check(t, s, "a")
	publish(t, s, "a")
	if n := proxy.Accepted(); n != 1 {
		t.Errorf("%d connections for three calls in sequence; want 1", n)
	}
}

func TestOpen_VerifiesTLS(t *testing.T) {
	server := servertest.StartRedis(t, servertest.RedisOptions{TLS: true, Password: "secret"})
	address := []string{server.Address()}
	s := open(t, redis.Options{Addresses: address, TLS: server.TLSConfig(), Password: "secret"})
	stamp := publish(t, s, "a")
	if got := check(t, s, "a").Stamps[0]; got != stamp {
		t.Errorf("Check returned the stamp %v; want %v", got, stamp)
	}
	if err := watchPublication(t, s, "a"); err != nil {
		t.Error(err)
	}
	for name, config := range map[string]*tls.Config{"an unknown certificate": {}, "no TLS": nil} {
		s := open(t, redis.Options{Addresses: address, TLS: config, Password: "secret"})
		if _, err := s.Publish(t.Context(), coretest.MustID("a"), nil); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v; want ErrUnavailable", name, err)
		}
	}
}

func TestStore_EndsWithContextWhileServerHangs(t *testing.T) {
	server, s := start(t)
	thaw := server.Freeze()
	defer thaw()
	leaving := errors.New("leaving")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(leaving) })
	if _, err := s.Publish(ctx, coretest.MustID("a"), nil); !errors.Is(err, leaving) {
		t.Errorf("Publish: %v; want the cause", err)
	}
	if _, err := s.Check(ctx, nil); !errors.Is(err, leaving) {
		t.Errorf("Check: %v; want the cause", err)
	}
}
