package redis

import (
	"context"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"novcomet/core/event"
	"novcomet/core/store"
)

// dataField is the field of an event's hash with the data.
const dataField = "d"

// Data reads the data of all events in one pipeline. It fails if one server of a Cluster does not answer.
func (s *Store) Data(ctx context.Context, ids []event.ID, limit int) ([]store.Content, error) {
	limited, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	pipeline := s.client.Pipeline()
	fields := hGetEach(limited, pipeline, s.keys(ids), dataField)
	// If the server refused the connection, go-redis sets no error in the commands.
	if _, err := pipeline.Exec(limited); err != nil && !meansNoData(err) {
		return nil, s.unavailable(ctx, fmt.Errorf("read what events carry: %w", err))
	}
	contents := make([]store.Content, len(ids))
	for i, field := range fields {
		data, err := field.Bytes()
		switch {
		case err != nil && !meansNoData(err):
			return nil, s.unavailable(ctx, fmt.Errorf("read what %q carries: %w", ids[i], err))
		case err == nil:
			contents[i] = store.Limited(data, limit)
		}
	}
	return contents, nil
}

// meansNoData reports whether the event has no data, or the key holds a value of another program.
func meansNoData(err error) bool { return errors.Is(err, goredis.Nil) || isWrongType(err) }
