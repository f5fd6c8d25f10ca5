package memcached

import (
	"context"

	"novcomet/core"
)

// question is what one server is asked, and its answer.
type question struct {
	keys      []string
	positions []int // of the keys among the ids
	done      chan struct{}
	values    map[string][]byte
	err       error
}

// ask asks each server once for all its events, all servers at the same time, and returns with their answers, or as soon as
// ctx ends.
func (s *Store) ask(ctx context.Context, ids []core.ID) map[*server]*question {
	asked := map[*server]*question{}
	for i, id := range ids {
		key := keyOf(s.prefix, id)
		server := s.serverOf(key)
		q := asked[server]
		if q == nil {
			q = &question{done: make(chan struct{})}
			asked[server] = q
		}
		q.keys, q.positions = append(q.keys, key), append(q.positions, i)
	}
	for server, q := range asked {
		go func() {
			defer close(q.done)
			q.values, q.err = server.values(ctx, q.keys)
		}()
	}
	for _, q := range asked {
		<-q.done
	}
	return asked
}

// stamp returns the key's stamp. What is under the key and no stamp was not published.
func (q *question) stamp(key string) core.Stamp {
	if q.err != nil {
		return core.Unknown
	}
	stamp, _, err := parseValue(q.values[key])
	if err != nil {
		return 0
	}
	return stamp
}
