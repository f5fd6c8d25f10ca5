package redis

import (
	"context"
	stderrors "errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"novcomet/core"
)

// dataField is the field of an event's hash for what it carries.
const dataField = "d"

var _ core.Carrier = (*Store)(nil)

// PublishData is Publish, with data in the place of what the event carried. Stamp and data change in one step.
func (s *Store) PublishData(ctx context.Context, id core.ID, data []byte) (core.Stamp, error) {
	return s.publish(ctx, id, data)
}

// Data asks for what the events carry, all at once. An error means that a server can't be asked: of one that is gone, nobody
// knows what is to be told.
func (s *Store) Data(ctx context.Context, ids []core.ID, limit int) ([]core.Content, error) {
	limited, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	pipeline := s.client.Pipeline()
	fields := make([]*goredis.StringCmd, len(ids))
	for i, id := range ids {
		fields[i] = pipeline.HGet(limited, s.key(id), dataField)
	}
	// The first error of a command; or that the server can't be reached, of which the commands themselves don't know.
	if _, err := pipeline.Exec(limited); err != nil && !isNothing(err) {
		return nil, s.unavailable(ctx, fmt.Errorf("read what events carry: %w", err))
	}
	data := make([]core.Content, len(ids))
	for i, field := range fields {
		content, err := field.Bytes()
		switch {
		case err != nil && !isNothing(err):
			return nil, s.unavailable(ctx, fmt.Errorf("read what %q carries: %w", ids[i], err))
		case err == nil:
			data[i] = core.Limited(content, limit)
		}
	}
	return data, nil
}

// isNothing: the event carries no data, or can't.
func isNothing(err error) bool { return stderrors.Is(err, goredis.Nil) || isWrongType(err) }
