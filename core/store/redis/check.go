package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"novcomet/core/event"
	"novcomet/core/store"
)

// stampField is the field of an event's hash that publish.lua sets.
const stampField = "s"

// Check reads all stamps in one pipeline, after the clock. In a Cluster, the events of an unreachable server
// are [store.Unknown], as long as another server answers.
func (s *Store) Check(ctx context.Context, ids []event.ID) (store.Snapshot, error) {
	limited, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	pipeline, keys := s.client.Pipeline(), s.keys(ids)
	clock := s.readClock(limited, pipeline, keys)
	fields := hGetEach(limited, pipeline, keys, stampField)
	_, failed := pipeline.Exec(limited)
	now, err := clock.Result()
	// If the server refused the connection, go-redis sets no error in the commands.
	if err == nil && now.IsZero() {
		err = failed
	}
	if err != nil {
		return store.Snapshot{}, s.unavailable(ctx, err)
	}
	snapshot := store.Snapshot{Now: event.StampOf(now), Stamps: make([]event.Stamp, len(fields))}
	for i, field := range fields {
		if snapshot.Stamps[i], err = parseStamp(field); err != nil {
			snapshot.Stamps[i] = store.Unknown
			snapshot.Partial = s.unavailable(ctx, fmt.Errorf("read the stamp of %q: %w", ids[i], err))
		}
	}
	return snapshot, nil
}

// readClock reads the clocks of a Cluster at once. The clock of a single server becomes the first command of
// the pipeline.
func (s *Store) readClock(ctx context.Context, pipeline goredis.Pipeliner, keys []string) *goredis.TimeCmd {
	if s.cluster == nil {
		return pipeline.Time(ctx)
	}
	if len(keys) == 0 {
		keys = []string{s.options.Prefix} // Any server will do.
	}
	return goredis.NewTimeCmdResult(s.clocks.earliest(ctx, s.cluster, keys))
}

// hGetEach adds a command for the field of each key to the pipeline.
func hGetEach(
	ctx context.Context, pipeline goredis.Pipeliner, keys []string, field string,
) (fields []*goredis.StringCmd) {
	for _, key := range keys {
		fields = append(fields, pipeline.HGet(ctx, key, field))
	}
	return fields
}

// parseStamp returns 0 if the event does not exist, and if the key holds a value of another program.
func parseStamp(field *goredis.StringCmd) (event.Stamp, error) {
	text, err := field.Result()
	switch {
	case errors.Is(err, goredis.Nil), isWrongType(err):
		return 0, nil
	case err != nil:
		return 0, err
	}
	stamp, err := strconv.ParseInt(text, 10, 64)
	if err != nil || stamp < 0 {
		return 0, nil
	}
	return event.Stamp(stamp), nil
}
