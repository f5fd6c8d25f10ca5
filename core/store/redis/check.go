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

// Check reads the clock and all stamps in one pipeline. In a Cluster, it asks each server for its clock, and
// then for its stamps.
func (s *Store) Check(ctx context.Context, ids []event.ID) (store.Snapshot, error) {
	if s.cluster != nil {
		return s.checkCluster(ctx, ids)
	}
	limited, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	pipeline, keys := s.client.Pipeline(), s.keys(ids)
	clock := pipeline.Time(limited)
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
	snapshot := store.Snapshot{Now: event.StampOf(now)}
	if snapshot.Stamps, err = parseStamps(keys, fields); err != nil {
		snapshot.Partial = s.unavailable(ctx, err)
	}
	return snapshot, nil
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

// parseStamps returns the stamp of each key. The error says why some are [store.Unknown].
func parseStamps(keys []string, fields []*goredis.StringCmd) (stamps []event.Stamp, failed error) {
	stamps = make([]event.Stamp, len(keys))
	for i, field := range fields {
		var err error
		if stamps[i], err = parseStamp(field); err != nil {
			stamps[i] = store.Unknown
			failed = fmt.Errorf("read the stamp of %q: %w", keys[i], err)
		}
	}
	return stamps, failed
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
