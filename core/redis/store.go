// Package redis keeps stamps in Redis or Valkey, so that any number of machines serve the same events: one server, the master
// that Sentinel names, or a Cluster.
//
// An event is a hash under the key prefix + id: field s is its stamp, in microseconds, by the clock of the server that the key
// is on. The script publish.lua sets it; any other program may run it. A message on the channel of the same name is a hint to
// look: [Store.NotifyOf] listens, on one connection, to the events alone that are waited for.
//
// What it can't promise: Redis replicates after it has answered. A publication that the master took and no replica had when
// it failed is lost with it (min-replicas-to-write and appendfsync narrow that). When the servers of a Cluster have clocks that
// differ by more than a second, a whole-second poll can miss what is published while its first look is under way.
package redis

import (
	"crypto/tls"
	"net"
	"time"

	"github.com/pkg/errors"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"novcomet/core"
)

// Options say where the events are kept.
type Options struct {
	// Addresses are host:port. One is a server. Several are servers of a Cluster, of which one has to be there, and the others
	// are found by it; with a Master they are Sentinels.
	Addresses []string
	// Master is what the Sentinels call the master. They are asked without a password, the servers with it.
	Master string
	// Username and Password log in to the servers; both may be empty. The user needs the rights that the README names.
	Username, Password string
	// DB is the number of the database; a Cluster has 0 alone. Channels are common to all of a server, so a database of one's
	// own needs a Prefix of one's own.
	DB int
	// TLS is how to connect; nil: without TLS.
	TLS *tls.Config
	// Prefix is what an event's key has before its id.
	Prefix string
	// Expire is how long after its last publication an event is forgotten, in whole milliseconds; 0: never. An event that was
	// forgotten was never published, and its next publication answers every poll.
	Expire time.Duration
	// Timeout is how long a look or a publication may take, with all that it tries again; 0: DefaultTimeout. As long as the
	// servers don't answer at all, a poll can end later by twice as much.
	Timeout time.Duration
}

// DefaultTimeout is a long time for a server on the same network.
const DefaultTimeout = time.Second

// Store is the [core.Store] in Redis. It keeps a few connections, and makes none before it is used.
type Store struct {
	client  goredis.UniversalClient
	options Options
	clocks  clocks // of a Cluster's servers
}

var (
	_ core.Store     = (*Store)(nil)
	_ core.Selective = (*Store)(nil)
	_ core.Timed     = (*Store)(nil)
)

// Open returns the store. An error is about the options alone, for nothing is connected to here. It turns off the log of
// go-redis, which writes to standard error what is logged here anyway.
func Open(o Options) (*Store, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	logging.Disable()
	return &Store{options: o, client: goredis.NewUniversalClient(&goredis.UniversalOptions{
		Addrs: o.Addresses, MasterName: o.Master, Username: o.Username, Password: o.Password, DB: o.DB, TLSConfig: o.TLS,
		DialTimeout: o.Timeout, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, PoolTimeout: o.Timeout,
		ContextTimeoutEnabled: true, // so that the time of a call is that of all its attempts
		DialerRetries:         1,    // A call tries again by itself, and can be told to end.
		PipelinePoolSize:      -1,   // A look needs no connection of its own.
		Protocol:              2,    // Nothing here needs what came with 3.
		DisableIdentity:       true, // It would cost a round trip for each connection.
	})}, nil
}

func (o Options) check() error {
	isCluster := len(o.Addresses) > 1 && o.Master == ""
	switch {
	case len(o.Addresses) == 0:
		return errors.New("redis: no address")
	case isCluster && o.DB != 0:
		return errors.Errorf("redis: database %d, but several addresses without a master are a Cluster, which has 0 alone", o.DB)
	case o.DB < 0:
		return errors.Errorf("redis: database %d: it must not be negative", o.DB)
	case o.Expire < 0 || o.Expire > 0 && o.Expire < time.Millisecond:
		return errors.Errorf("redis: events that expire after %v: it must be 0 or 1ms and more", o.Expire)
	case o.Timeout < 0:
		return errors.Errorf("redis: a timeout of %v: it must not be negative", o.Timeout)
	}
	for _, address := range o.Addresses {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return errors.Wrap(err, "redis: an address must be host:port")
		}
	}
	return nil
}

// Close closes the connections; whatever still uses the store fails.
func (s *Store) Close() error { return errors.Wrap(s.client.Close(), "redis") }

// Timing: a stamp is exactly that of the clock that is looked at, but in a Cluster each server has its own. There the
// earliest counts, so a new stamp may be ahead of it.
func (s *Store) Timing() core.Timing {
	const lag, apart = 20 * time.Millisecond, time.Second
	if _, ok := s.client.(*goredis.ClusterClient); ok {
		return core.Timing{Lag: lag, Lead: apart}
	}
	return core.Timing{Lag: lag}
}

func (s *Store) key(id core.ID) string { return s.options.Prefix + id.String() }
