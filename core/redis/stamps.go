package redis

import (
	"context"
	stderrors "errors"
	"fmt"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"novcomet/core"
)

// stampField is the field of an event's hash that publish.lua sets.
const stampField = "s"

// Stamps asks for all events at once, and before the first one for the server's clock. An event of a Cluster whose server can't
// be asked is Unknown, as long as any server can.
func (s *Store) Stamps(ctx context.Context, ids []core.ID) (core.Snapshot, error) {
	limited, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = s.key(id)
	}
	pipeline := s.client.Pipeline()
	clock := s.clock(limited, pipeline, keys)
	fields := make([]*goredis.StringCmd, len(keys))
	for i, key := range keys {
		fields[i] = pipeline.HGet(limited, key, stampField)
	}
	_, failed := pipeline.Exec(limited)
	now, err := clock()
	if err == nil && now.IsZero() { // Where the server refuses the connection, the commands don't know of it.
		err = failed
	}
	if err != nil {
		return core.Snapshot{}, s.unavailable(ctx, err)
	}
	snapshot := core.Snapshot{Now: core.StampOf(now), Stamps: make([]core.Stamp, len(fields))}
	for i, field := range fields {
		if snapshot.Stamps[i], err = stampOf(field); err != nil {
			snapshot.Stamps[i], snapshot.Missed = core.Unknown, s.unavailable(ctx, fmt.Errorf("look at %q: %w", ids[i], err))
		}
	}
	return snapshot, nil
}

// clock reads the store's clock: at once in a Cluster, otherwise with the pipeline, of which it becomes the first command.
func (s *Store) clock(ctx context.Context, pipeline goredis.Pipeliner, keys []string) func() (time.Time, error) {
	if cluster, ok := s.client.(*goredis.ClusterClient); ok {
		if len(keys) == 0 {
			keys = []string{s.options.Prefix}
		}
		now, err := s.clocks.earliest(ctx, cluster, keys)
		return func() (time.Time, error) { return now, err }
	}
	return pipeline.Time(ctx).Result
}

// stampOf returns 0 also where something else is under the key: an event that nobody can publish.
func stampOf(field *goredis.StringCmd) (core.Stamp, error) {
	text, err := field.Result()
	switch {
	case stderrors.Is(err, goredis.Nil), isWrongType(err):
		return 0, nil
	case err != nil:
		return 0, err
	}
	stamp, err := strconv.ParseInt(text, 10, 64)
	if err != nil || stamp < 0 { // Somebody else has written it.
		return 0, nil
	}
	return core.Stamp(stamp), nil
}
