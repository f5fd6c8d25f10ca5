package memcached

import (
	"context"
	"sync"

	"novcomet/core/event"
	"novcomet/core/store"
)

// Check reads all stamps with one command to each server, all servers at the same time. The events of a
// server that does not answer are [store.Unknown], as long as another server answers.
func (s *Store) Check(ctx context.Context, ids []event.ID) (store.Snapshot, error) {
	before := s.clock()
	snapshot := store.Snapshot{Now: event.StampOf(before), Stamps: make([]event.Stamp, len(ids))}
	failed, requests := 0, s.get(ctx, ids)
	for _, r := range requests {
		for i, key := range r.keys {
			snapshot.Stamps[r.positions[i]] = r.stamp(key)
		}
		if r.err != nil {
			failed++
			snapshot.Partial = r.err
		}
	}
	after := s.clock()
	snapshot.CorrectNow(event.StampOf(after), after.Sub(before))
	switch {
	case failed > 0 && ctx.Err() != nil:
		return store.Snapshot{}, context.Cause(ctx)
	case failed > 0 && failed == len(requests):
		return store.Snapshot{}, snapshot.Partial
	}
	return snapshot, nil
}

// request is what one server is asked, and its answer.
type request struct {
	keys      []string
	positions []int // of the keys among the ids
	values    map[string][]byte
	err       error
}

// get asks each server for the values of all its events, all servers at the same time. It returns when all
// have answered, or when ctx ends.
func (s *Store) get(ctx context.Context, ids []event.ID) map[*server]*request {
	requests := map[*server]*request{}
	for i, id := range ids {
		key := keyOf(s.prefix, id)
		server := s.serverOf(key)
		r := requests[server]
		if r == nil {
			r = &request{}
			requests[server] = r
		}
		r.keys, r.positions = append(r.keys, key), append(r.positions, i)
	}
	var asking sync.WaitGroup
	for server, r := range requests {
		asking.Go(func() { r.values, r.err = server.get(ctx, r.keys) })
	}
	asking.Wait()
	return requests
}

// stamp returns the stamp of a key. A value of another program counts as never published.
func (r *request) stamp(key string) event.Stamp {
	if r.err != nil {
		return store.Unknown
	}
	stamp, _, err := parseValue(r.values[key])
	if err != nil {
		return 0
	}
	return stamp
}
