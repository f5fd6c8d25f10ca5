package redis

import (
	"context"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"novcomet/core/event"
	"novcomet/core/store"
)

// request is what a check asks one server of a Cluster, and the answer.
type request struct {
	keys      []string
	positions []int         // of the keys among all
	stamps    []event.Stamp // nil if the server did not answer
	err       error         // why stamps are unknown
}

// checkCluster asks each server for its time and then for its stamps, all servers at once. The events of a
// server that does not answer are [store.Unknown], as long as another server answers.
func (s *Store) checkCluster(ctx context.Context, ids []event.ID) (store.Snapshot, error) {
	began, keys := time.Now(), s.keys(ids)
	if len(keys) == 0 {
		keys = []string{s.options.Prefix} // Any server will do.
	}
	requests, err := s.requests(ctx, keys)
	if err != nil {
		return store.Snapshot{}, s.unavailable(ctx, err)
	}
	var asking sync.WaitGroup
	for server, r := range requests {
		asking.Go(func() { r.stamps, r.err = s.ask(ctx, server, r.keys) })
	}
	asking.Wait()
	stamps := make([]event.Stamp, len(keys))
	answered, partial := false, error(nil)
	for _, r := range requests {
		for i, position := range r.positions {
			stamps[position] = store.Unknown
			if r.stamps != nil {
				stamps[position] = r.stamps[i]
			}
		}
		answered = answered || r.stamps != nil
		if r.err != nil {
			partial = s.unavailable(ctx, r.err)
		}
	}
	if !answered {
		return store.Snapshot{}, partial
	}
	return store.Snapshot{Now: event.StampOf(s.servers.earliest(began)), Stamps: stamps[:len(ids)], Partial: partial}, nil
}

// requests returns what to ask which server.
func (s *Store) requests(ctx context.Context, keys []string) (map[*goredis.Client]*request, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	requests := map[*goredis.Client]*request{}
	for i, key := range keys {
		server, err := s.cluster.MasterForKey(ctx, key)
		if err != nil { // Nothing is known of any slot.
			return nil, err
		}
		r := requests[server]
		if r == nil {
			r = &request{}
			requests[server] = r
		}
		r.keys, r.positions = append(r.keys, key), append(r.positions, i)
	}
	return requests, nil
}

// ask asks one server. If the server did not answer the last time, ask waits only for the time that a healthy
// server takes, so that polls for events of other servers do not wait for this one. A later answer makes the
// next check wait again.
func (s *Store) ask(ctx context.Context, server *goredis.Client, keys []string) ([]event.Stamp, error) {
	const healthy = 50 * time.Millisecond
	address := server.Options().Addr
	down, asked := s.servers.ask(address)
	if down != nil && asked {
		return nil, down
	}
	type answer struct {
		stamps []event.Stamp
		err    error
	}
	result, began := make(chan answer, 1), time.Now()
	go func() { // The timeout of the store ends it.
		stamps, err := s.timeAndStamps(ctx, server, keys)
		switch {
		case ctx.Err() != nil:
			s.servers.answer(address, down)
		case time.Since(began) < healthy: // A failure at once delays no poll.
			s.servers.answer(address, nil)
		default:
			s.servers.answer(address, err)
		}
		result <- answer{stamps, err}
	}()
	var giveUp <-chan time.Time
	if down != nil {
		giveUp = time.After(healthy)
	}
	select {
	case a := <-result:
		return a.stamps, a.err
	case <-giveUp:
		return nil, down
	}
}

// timeAndStamps reads the clock of a server, and then the stamps of its keys. The pipeline is the Cluster's,
// because a key may have been moved to another server.
func (s *Store) timeAndStamps(ctx context.Context, server *goredis.Client, keys []string) ([]event.Stamp, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	now, err := server.Time(ctx).Result()
	if err != nil {
		return nil, err
	}
	s.servers.setClock(server.Options().Addr, now)
	pipeline := s.cluster.Pipeline()
	fields := hGetEach(ctx, pipeline, keys, stampField)
	_, _ = pipeline.Exec(ctx) // Each field has its own error.
	return parseStamps(keys, fields)
}
