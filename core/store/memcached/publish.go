package memcached

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	pkgerrors "github.com/pkg/errors"

	"novcomet/core/event"
)

// Publish sets the stamp to the time of this machine, or to the old stamp plus 1 µs if that is later and the
// old stamp is at most 2 s ahead. Stamp and data are one value, which Publish swaps for the value that it has
// read. If another publisher was faster, it reads again, for 5 s at most. The key never expires. memcached
// refuses values of more than 1 MiB by default (option -I).
//
// A publisher that was delayed between reading the clock and storing could publish into a second that has
// been answered already. So Publish repeats a publication whose stamp is older than 200 ms when it has been
// stored.
func (s *Store) Publish(ctx context.Context, id event.ID, data []byte) (event.Stamp, error) {
	const maxTime, maxPause = 5 * time.Second, 5 * time.Millisecond
	key := keyOf(s.prefix, id)
	server := s.serverOf(key)
	began := time.Now()
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, maxPause) {
		stamp, stored, err := s.tryToPublish(ctx, server, key, data)
		switch {
		case err != nil:
			return 0, fmt.Errorf("publish %q: %w", id, err)
		case stored && event.StampOf(s.clock()).Sub(stamp) <= maxWrite:
			return stamp, nil
		case time.Since(began) > maxTime:
			return 0, fmt.Errorf("publish %q: other programs keep publishing it, or storing it takes longer than %v",
				id, maxWrite)
		case stored:
			continue
		}
		select {
		case <-time.After(rand.N(pause)):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// tryToPublish publishes, unless the value changes meanwhile.
func (s *Store) tryToPublish(
	ctx context.Context, server *server, key string, data []byte,
) (stamp event.Stamp, stored bool, err error) {
	const far = 2 * time.Second // An old stamp that is further ahead is ignored.
	var item *memcache.Item
	err = server.exchange(ctx, func() (err error) { item, err = server.client.Get(key); return err })
	if err != nil && !errors.Is(err, memcache.ErrCacheMiss) {
		return 0, false, failure(ctx, server, err)
	}
	swap := server.client.CompareAndSwap
	if item == nil {
		item = &memcache.Item{Key: key}
		swap = server.client.Add
	}
	old, oldData, err := parseValue(item.Value)
	if err != nil {
		return 0, false, err
	}
	if data == nil {
		data = oldData
	}
	stamp = event.StampOf(s.clock())
	if old >= stamp && old <= stamp.Add(far) {
		stamp = old + 1
	}
	item.Value = formatValue(stamp, data)
	err = server.exchange(ctx, func() error { return swap(item) })
	switch {
	case errors.Is(err, memcache.ErrCASConflict), errors.Is(err, memcache.ErrNotStored),
		errors.Is(err, memcache.ErrCacheMiss):
		return 0, false, nil
	case err != nil && !isBroken(err) && ctx.Err() == nil: // The server answers, but refuses the value.
		return 0, false, pkgerrors.Wrapf(err, "store it in memcached at %s", server.address)
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
