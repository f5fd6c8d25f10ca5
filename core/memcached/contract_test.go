//go:build e2e

package memcached_test

import (
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/memcached"
	"novcomet/core/memcached/memcachedtest"
	"novcomet/core/storetest"
)

func TestItKeepsTheContractOfAStore(t *testing.T) {
	t.Run("with a server that is killed", func(t *testing.T) {
		var server *memcachedtest.Server
		storetest.Test(t, storetest.Subject{
			Place: func(t testing.TB) string { server = memcachedtest.Start(t); return server.Address },
			Open:  func(t testing.TB, place string) core.Store { return open(t, place) },
			Interrupt: func(testing.TB) func() {
				server.Kill()
				return server.Start
			},
		})
	})
	t.Run("with two servers that answer no more", func(t *testing.T) {
		var one, other *memcachedtest.Server
		storetest.Test(t, storetest.Subject{
			Place: func(t testing.TB) string {
				one, other = memcachedtest.Start(t), memcachedtest.Start(t)
				return one.Address + "," + other.Address
			},
			Open: func(t testing.TB, place string) core.Store { return open(t, place) },
			Interrupt: func(testing.TB) func() {
				one.Freeze()
				other.Freeze()
				return func() {
					one.Thaw()
					other.Thaw()
				}
			},
		})
	})
}

func TestTheTimingIsThatOfDifferentClocks(t *testing.T) {
	store := openWith(t, memcached.Options{Servers: []string{"127.0.0.1:1"}, Skew: time.Second})
	if got, want := store.Timing(), (core.Timing{Lag: 1200 * time.Millisecond, Lead: time.Second}); got != want {
		t.Errorf("%+v; want %+v", got, want)
	}
}
