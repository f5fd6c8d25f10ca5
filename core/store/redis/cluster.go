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
	began := time.Now()
	requests, err := s.requests(ctx, s.keys(ids))
	if err != nil {
		return store.Snapshot{}, s.unavailable(ctx, err)
	}
	var asking sync.WaitGroup
	for server, r := range requests {
		asking.Go(func() { r.stamps, r.err = s.ask(ctx, server, r.keys) })
	}
	asking.Wait()
	stamps := make([]event.Stamp, len(ids))
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
	return store.Snapshot{Now: event.StampOf(s.servers.earliest(began)), Stamps: stamps, Partial: partial}, nil
}

// requests returns what to ask which server.
func (s *Store) requests(ctx context.Context, keys []string) (map[*goredis.Client]*request, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	requests := map[*goredis.Client]*request{}
	if len(keys) == 0 { // Only a clock is read, of any server.
		server, err := s.cluster.MasterForKey(ctx, s.options.Prefix)
		if err != nil {
			return nil, err
		}
		return map[*goredis.Client]*request{server: {}}, nil
	}
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

// ask asks one server. If the server did not answer the last time, ask waits for 50 ms at most, and not at
// all while that question is still open. So polls for events of other servers do not wait for this one. Once
// the server has answered, the next check waits for it up to the timeout again. While a slot is moving to a
// server that hangs, the events of its old server are unknown, too.
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
		case time.Since(began) < healthy, // A failure at once delays no poll.
			isReply(err): // for example about a slot that no server has
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
