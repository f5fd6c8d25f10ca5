//go:build e2e

package redis_test

import (
	"strings"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/redis"
	"novcomet/core/redis/redistest"
	"novcomet/core/storetest"
)

func TestItKeepsTheContractOfAStore(t *testing.T) {
	addresses := func(o redis.Options) func(testing.TB, string) core.Store {
		return func(t testing.TB, place string) core.Store {
			o.Addresses = strings.Split(place, ",")
			return open(t, o)
		}
	}
	t.Run("on one server", func(t *testing.T) {
		var server *redistest.Server
		storetest.Test(t, storetest.Subject{
			Place:     func(t testing.TB) string { server = redistest.Start(t); return server.Address() },
			Open:      addresses(redis.Options{}),
			Interrupt: func(testing.TB) func() { server.Kill(); return server.Restart },
		})
	})
	t.Run("on one that answers no more", func(t *testing.T) {
		var server *redistest.Server
		storetest.Test(t, storetest.Subject{
			Place:     func(t testing.TB) string { server = redistest.Start(t); return server.Address() },
			Open:      addresses(redis.Options{Timeout: 5 * time.Second}),
			Interrupt: func(testing.TB) func() { return server.Freeze() },
		})
	})
	t.Run("on the master that Sentinel names", func(t *testing.T) {
		var replicated *redistest.Replicated
		storetest.Test(t, storetest.Subject{
			Place: func(t testing.TB) string {
				replicated = redistest.StartReplicated(t, &redistest.Server{}, &redistest.Server{})
				return strings.Join(replicated.Sentinels, ",")
			},
			Open:      addresses(redis.Options{Master: redistest.Master}),
			Interrupt: func(testing.TB) func() { replicated.Kill(); return replicated.Restart },
		})
	})
	t.Run("on a Cluster", func(t *testing.T) {
		var cluster *redistest.Cluster
		storetest.Test(t, storetest.Subject{
			Place: func(t testing.TB) string {
				cluster = redistest.StartCluster(t, &redistest.Server{}, &redistest.Server{}, &redistest.Server{})
				return strings.Join(cluster.Addresses(), ",")
			},
			Open:      addresses(redis.Options{}),
			Interrupt: func(testing.TB) func() { cluster.Kill(); return cluster.Restart },
		})
	})
}
