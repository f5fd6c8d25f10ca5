package memcached

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/pkg/errors"

	"novcomet/core"
)

// Publish sets the event's stamp to the time of this machine, or to 1 µs after what it was, if that is later. It swaps the value
// it has read for the new one, so that of several who publish at the same time each gives it a later one; who comes second tries
// again, for 5 s at the most. Data behind the stamp stays. The key never expires.
//
// A publisher that is held up between reading the clock and storing could publish into a second that has been answered
// already. One that finds it was, publishes again.
func (s *Store) Publish(ctx context.Context, id core.ID) (core.Stamp, error) {
	return s.publish(ctx, id, func(before []byte) []byte { return before })
}

// publish publishes with what behind makes of what was behind the stamp before.
func (s *Store) publish(ctx context.Context, id core.ID, behind func(before []byte) []byte) (core.Stamp, error) {
	const patience, longestPause = 5 * time.Second, 5 * time.Millisecond
	key := keyOf(s.prefix, id)
	server := s.serverOf(key)
	began := time.Now()
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, longestPause) {
		stamp, tookPlace, err := s.publishOnce(ctx, server, key, behind)
		if err != nil {
			return 0, errors.WithMessagef(err, "%q", id.String())
		}
		if tookPlace && s.isRecent(stamp) {
			return stamp, nil
		}
		if time.Since(began) > patience {
			return 0, errors.Errorf("%q: other programs keep publishing it, or storing it takes longer than %v", id.String(), late)
		}
		if tookPlace {
			continue
		}
		select {
		case <-time.After(rand.N(pause)):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// isRecent reports whether a stamp that has just been stored is not older than the rules of delivery allow for.
func (s *Store) isRecent(stamp core.Stamp) bool {
	return core.StampOf(s.clock()).Sub(stamp) <= late
}

// publishOnce publishes unless somebody else does meanwhile.
func (s *Store) publishOnce(ctx context.Context, server *server, key string, behind func([]byte) []byte) (stamp core.Stamp, tookPlace bool, err error) {
	item, err := exchange(ctx, server, func() (*memcache.Item, error) { return server.client.Get(key) })
	if err != nil && !errors.Is(err, memcache.ErrCacheMiss) {
		return 0, false, failure(ctx, server, err)
	}
	store := server.client.CompareAndSwap
	if item == nil {
		item = &memcache.Item{Key: key}
		store = server.client.Add
	}
	before, rest, err := parseValue(item.Value)
	if err != nil {
		return 0, false, err
	}
	stamp = max(before+1, core.StampOf(s.clock()))
	item.Value = formatValue(stamp, behind(rest))
	_, err = exchange(ctx, server, func() (struct{}, error) { return struct{}{}, store(item) })
	switch {
	case errors.Is(err, memcache.ErrCASConflict), errors.Is(err, memcache.ErrNotStored), errors.Is(err, memcache.ErrCacheMiss):
		return 0, false, nil
	case err != nil && !isBroken(err) && ctx.Err() == nil: // The server is there, but will not have this.
		return 0, false, errors.Wrapf(err, "store it in memcached at %s", server.address)
	case err != nil:
		return 0, false, failure(ctx, server, err)
	}
	return stamp, true, nil
}

func failure(ctx context.Context, server *server, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return server.unavailable(err)
}
