// Package redis keeps events in Redis or Valkey, so that any number of machines serve the same events: in a
// single server, in the master that Sentinels name, or in a Cluster.
//
// An event is a hash; its key is the prefix and the id. Field s is the stamp in microseconds, by the clock of
// the server that has the key. Field d is the data. The script publish.lua sets both, and any other program
// may run it. The script also sends a message on the channel with the name of the key. [Store.Watch]
// subscribes to the channels of the events that polls wait for, on one connection.
//
// There are two limits. Redis replicates after it has answered: if a master fails, it loses the publications
// that no replica has received (min-replicas-to-write and appendfsync narrow that). And if the clocks of a
// Cluster's servers differ by more than a second, a legacy poll can miss what is published during its first
// check.
package redis

import (
	"crypto/tls"
	"errors"
	"time"

	pkgerrors "github.com/pkg/errors"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"novcomet/core/event"
	"novcomet/core/store"
)

// Options say where the events are kept.
type Options struct {
	// Addresses are host:port, at least one. One address is a single server. Several addresses are servers of
	// a Cluster: one of them must be reachable, and it names the others. If Master is set, the addresses are
	// Sentinels.
	Addresses []string
	// Master is the name by which the Sentinels know the master. The store asks the Sentinels without a
	// password.
	Master string
	// Username and Password log in to the servers; both may be empty. The README lists the rights that the
	// user needs.
	Username, Password string
	// TLS is the configuration of connections. If nil, they are not encrypted.
	TLS *tls.Config
	// Prefix is the beginning of all keys, before the id.
	Prefix string
	// Expire is how long after its last publication an event is removed: at least 1 ms, in whole
	// milliseconds. 0, the default, means never. A removed event counts as never published, and its next
	// publication answers every poll.
	Expire time.Duration
	// Timeout is the longest time of one method call, retries included; in a Cluster a check can take twice as
	// long. 0 means 1 s. While no server answers, a poll can end late by up to twice the timeout.
	Timeout time.Duration
}

// Store is the [store.Store] in Redis. It keeps a few connections, and opens none before it is used.
type Store struct {
	client  goredis.UniversalClient
	cluster *goredis.ClusterClient // client, if it is that of a Cluster; nil otherwise
	servers servers                // of the Cluster
	options Options
}

var _ store.Store = (*Store)(nil)

// Open returns the store. It does not connect; the error means that there is no address. It disables the log
// of go-redis, which writes to standard error what the methods return anyway.
func Open(o Options) (*Store, error) {
	const defaultTimeout = time.Second
	if len(o.Addresses) == 0 { // go-redis would take its default.
		return nil, errors.New("redis: no address")
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	logging.Disable()
	s := &Store{options: o, client: goredis.NewUniversalClient(&goredis.UniversalOptions{
		Addrs: o.Addresses, MasterName: o.Master, Username: o.Username, Password: o.Password, TLSConfig: o.TLS,
		DialTimeout: o.Timeout, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, PoolTimeout: o.Timeout,
		ContextTimeoutEnabled: true, // The timeout of a call limits all its attempts.
		DialerRetries:         1,    // A call repeats a failed attempt itself, and its context can end that.
		PipelinePoolSize:      -1,   // A check needs no connection of its own.
		Protocol:              2,    // Nothing here needs version 3.
		DisableIdentity:       true, // It would cost a round trip for each connection.
	})}
	s.cluster, _ = s.client.(*goredis.ClusterClient)
	return s, nil
}

// Close closes the connections.
func (s *Store) Close() error { return pkgerrors.Wrap(s.client.Close(), "redis") }

// Timing returns a generous Lag, because one server sets a stamp by the clock that Check reads. In a Cluster,
// each server has its own clock and Check returns the earliest, so a new stamp may be ahead.
func (s *Store) Timing() store.Timing {
	const maxLag, maxSkew = 20 * time.Millisecond, time.Second
	if s.cluster != nil {
		return store.Timing{Lag: maxLag, Lead: maxSkew}
	}
	return store.Timing{Lag: maxLag}
}

func (s *Store) key(id event.ID) string { return s.options.Prefix + id.String() }

func (s *Store) keys(ids []event.ID) []string {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = s.key(id)
	}
	return keys
}
