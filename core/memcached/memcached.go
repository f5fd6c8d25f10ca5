// Package memcached keeps events in one or several memcached servers, so that NovComet runs on as many machines as wanted.
//
// An event is a key: a prefix and the id (key.go). Its value is the stamp, in microseconds since 1970 as decimal text, which may
// be followed by a newline and data. So any program publishes that sets the key. With several servers the key's CRC-32
// (IEEE), modulo their number, says which one has it.
//
// # What it promises, and what it can't
//
// memcached tells nothing of changes, so they are seen when it is time to look: after a sleep at the latest. It has no clock
// that it tells either: a stamp is by the clock of the machine that publishes. Precise polls do not care. Whole-second polls
// are held a while longer, for as much as the machines' clocks may differ (Options.Skew). A poll that begins with the cursor now may
// be answered with an event that was published up to Skew + 200 ms before the poll came. By its stamp alone, that event may have been
// stored after the poll came, by a machine whose clock is behind.
//
// It forgets: when it is full, and when it is started again. An event that it forgot has no stamp; the next publication
// counts, whatever the stamp was before. A publication that it forgets before a subscriber who was just pausing has come back is
// lost for that one.
package memcached

import (
	"context"
	"hash/crc32"
	"strings"
	"time"

	"github.com/pkg/errors"

	"novcomet/core"
)

// Options say where the events are.
type Options struct {
	// Servers are host:port, or unix: and the absolute path of a socket; at least one. All machines must list the same
	// ones in the same order. Names are looked up anew for each connection.
	Servers []string
	// Prefix is what keys begin with, before the id: at most 40 bytes, no spaces and control characters. It may be empty.
	Prefix string
	// Timeout is how long a server may take to answer; 0: 1 s.
	Timeout time.Duration
	// Skew is how far the clocks of the machines that publish and look may differ; 0 where it is a single machine.
	Skew time.Duration
}

// MaxPrefix is the longest prefix, in bytes: with it an id without spaces and percent signs always fits into a key.
const MaxPrefix = maxKey - core.MaxID - 10

// Store is a core.Store in memcached.
type Store struct {
	servers []*server
	prefix  string
	skew    time.Duration
	clock   func() time.Time // this machine's
}

var (
	_ core.Carrier = (*Store)(nil)
	_ core.Timed   = (*Store)(nil)
)

// Open returns the store. Nothing is connected to before it is used. An error says what in the options is wrong.
func Open(o Options) (*Store, error) {
	if len(o.Servers) == 0 {
		return nil, errors.New("memcached: no servers")
	}
	if len(o.Prefix) > MaxPrefix || strings.ContainsFunc(o.Prefix, notInKey) {
		return nil, errors.Errorf("memcached: the prefix %q has more than %d bytes, a space or a control character", o.Prefix, MaxPrefix)
	}
	const usual = time.Second
	if o.Timeout == 0 {
		o.Timeout = usual
	}
	s := &Store{prefix: o.Prefix, skew: o.Skew, clock: time.Now}
	for _, address := range o.Servers {
		s.servers = append(s.servers, newServer(address, o.Timeout))
	}
	return s, nil
}

// Close closes the connections. Who still uses the store opens one for each command.
func (s *Store) Close() error {
	var first error
	for _, server := range s.servers {
		server.closed.Store(true)
		if err := server.client.Close(); err != nil && first == nil {
			first = errors.Wrapf(err, "memcached: close the connections to %s", server.address)
		}
	}
	return first
}

// late is how old a stamp may be at most when it is stored; one that took longer is replaced by a newer one.
const late = 200 * time.Millisecond

// Timing of stamps that another machine sets by its own clock. It may be behind the clock that a look goes by, and storing
// the stamp takes a while on top; or it may be ahead. No stamp is given twice, for each is later than the one before.
func (s *Store) Timing() core.Timing {
	return core.Timing{Lag: s.skew + late, Lead: s.skew}
}

// Stamps asks each server once for all its events, all servers at the same time.
func (s *Store) Stamps(ctx context.Context, ids []core.ID) (core.Snapshot, error) {
	before := s.clock()
	snapshot := core.Snapshot{Now: core.StampOf(before), Stamps: make([]core.Stamp, len(ids))}
	gone, questions := 0, s.ask(ctx, ids)
	for _, q := range questions {
		for i, key := range q.keys {
			snapshot.Stamps[q.positions[i]] = q.stamp(key)
		}
		if q.err != nil {
			gone++
			snapshot.Missed = q.err
		}
	}
	after := s.clock()
	snapshot.Until(core.StampOf(after), after.Sub(before))
	switch {
	case ctx.Err() != nil && gone > 0:
		return core.Snapshot{}, context.Cause(ctx)
	case gone > 0 && gone == len(questions):
		return core.Snapshot{}, snapshot.Missed
	}
	return snapshot, nil
}

func (s *Store) serverOf(key string) *server {
	if len(s.servers) == 1 {
		return s.servers[0]
	}
	return s.servers[crc32.ChecksumIEEE([]byte(key))%uint32(len(s.servers))]
}
