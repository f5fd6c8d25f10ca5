package soak

import (
	"context"
	"fmt"

	"novcomet/examples/internal/launch"
)

// eventStore is where the events of a run are kept.
type eventStore interface {
	// configure sets where the site finds the events.
	configure(o *launch.Options)
	// ways are the ways to publish, besides those by URL.
	ways(site *launch.Site) []way
	// stamp returns the stamp of an event, as a publisher finds it. An event that does not exist is an error.
	stamp(ctx context.Context, id string) (micros, error)
	disturbances(s *soak) []disturbance
}

// The stores.
const (
	filesStore = "files"
	redis      = "redis"          // one server
	sentinel   = "redis-sentinel" // a master, a replica and three Sentinels
	cluster    = "redis-cluster"  // three masters
	memcached  = "memcached"
)

// Stores returns the names of the stores.
func Stores() []string { return []string{filesStore, redis, sentinel, cluster, memcached} }

func (s *soak) openStore(ctx context.Context, h *Host) (err error) {
	switch s.options.Store {
	case filesStore:
		s.store, err = openFiles(h, len(s.options.Disturb) > 0)
	case redis:
		s.store, err = openRedis(ctx, h)
	case sentinel:
		s.store, err = openSentinel(ctx, h)
	case cluster:
		s.store, err = openCluster(ctx, h)
	case memcached:
		s.store = openMemcached(h)
	default:
		err = fmt.Errorf("%q is not a store: choose from %v", s.options.Store, Stores())
	}
	return err
}
