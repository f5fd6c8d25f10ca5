// Package memcached keeps events in one or several memcached servers, so that any number of machines serve
// the same events.
//
// An event is a key: the prefix and the id, encoded as key.go describes. The value is the stamp in
// microseconds since 1970, as decimal text. A newline and the data may follow. So any program publishes that
// sets the key. With several servers, the CRC-32 (IEEE) of the key modulo their number says which one has it.
//
// # Limits
//
// memcached does not notify of changes. The next check finds them, after one sleep at most. It has no clock
// that a client can read, either: a stamp is set by the clock of the machine that publishes. Precise polls
// are not affected. Legacy polls are held longer, for as much as the clocks of the machines may differ
// ([Options].Skew). A poll that begins with the cursor now may be answered with an event that was published
// up to Skew + 200 ms before. By its stamp alone, that event may have been stored after the poll came, by a
// machine whose clock is behind.
//
// memcached forgets events when it is full, and all of them when it is restarted. A forgotten event counts
// as never published: its next publication counts, whatever its stamp was. A subscriber that pauses between a
// publication and the loss misses that publication.
package memcached

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"novcomet/core/event"
	"novcomet/core/store"
)

// Options say where the events are.
type Options struct {
	// Servers are host:port, or "unix:" and the absolute path of a socket; at least one. All machines must
	// list the same servers in the same order. A name is resolved for each new connection.
	Servers []string
	// Prefix is the beginning of all keys, before the id: up to [MaxPrefix] bytes without spaces and control
	// characters.
	Prefix string
	// Timeout is the longest time that a server may take to answer. 0 means 1 s.
	Timeout time.Duration
	// Skew is how far the clocks of the machines may differ. With one machine, it is 0.
	Skew time.Duration
}

// MaxPrefix is the length of the longest prefix in bytes. With it, an id without spaces and percent signs
// always fits into a key.
const MaxPrefix = maxKey - event.MaxID - 10

// Store is the [store.Store] in memcached. It opens no connection before it is used.
type Store struct {
	servers []*server
	prefix  string
	skew    time.Duration
	clock   func() time.Time // this machine's
}

var _ store.Store = (*Store)(nil)

// Open returns the store. It does not connect, so an error is about the options.
func Open(o Options) (*Store, error) {
	const defaultTimeout = time.Second
	if len(o.Servers) == 0 {
		return nil, errors.New("memcached: no servers")
	}
	if len(o.Prefix) > MaxPrefix || strings.ContainsFunc(o.Prefix, invalidInKey) {
		return nil, fmt.Errorf("memcached: the prefix %q has more than %d bytes, a space or a control character",
			o.Prefix, MaxPrefix)
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	s := &Store{prefix: o.Prefix, skew: o.Skew, clock: time.Now}
	for _, address := range o.Servers {
		s.servers = append(s.servers, newServer(address, o.Timeout))
	}
	return s, nil
}

// Close closes the connections.
func (s *Store) Close() error {
	var all []error
	for _, server := range s.servers {
		all = append(all, server.close())
	}
	return errors.Join(all...)
}

// maxWrite is how old a stamp may be when it has been stored. Publish replaces an older one.
const maxWrite = 200 * time.Millisecond

// Timing allows for the skew and for the time to store a stamp. The clock of the machine that publishes sets
// the stamp; it may be behind the clock that Check reads, or ahead. The Resolution is 1 µs, because each
// stamp is later than the one before, unless that is far ahead.
func (s *Store) Timing() store.Timing {
	return store.Timing{Lag: s.skew + maxWrite, Lead: s.skew}
}

// Watch returns [errors.ErrUnsupported]: memcached does not notify of changes.
func (s *Store) Watch(context.Context, store.Interest, func(...event.ID)) error {
	return errors.ErrUnsupported
}

// serverOf returns the server that has the key.
func (s *Store) serverOf(key string) *server {
	return s.servers[crc32.ChecksumIEEE([]byte(key))%uint32(len(s.servers))]
}
