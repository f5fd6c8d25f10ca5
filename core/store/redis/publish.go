package redis

import (
	"context"
	_ "embed"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"novcomet/core/event"
)

//go:embed publish.lua
var publishLua string

var publishScript = goredis.NewScript(publishLua)

// Publish runs publish.lua on the server, which sets stamp and data in one step. If the answer is lost, the
// script runs again: then the event is published twice.
func (s *Store) Publish(ctx context.Context, id event.ID, data []byte) (event.Stamp, error) {
	limited, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	arguments := []any{s.options.Expire.Milliseconds()}
	if data != nil {
		arguments = append(arguments, data)
	}
	stamp, err := publishScript.Run(limited, s.client, []string{s.key(id)}, arguments...).Int64()
	if err != nil {
		return 0, fmt.Errorf("publish %q: %w", id, s.publishError(ctx, err))
	}
	return event.Stamp(stamp), nil
}
