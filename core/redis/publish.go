package redis

import (
	"context"
	_ "embed"

	"github.com/pkg/errors"
	goredis "github.com/redis/go-redis/v9"

	"novcomet/core"
)

//go:embed publish.lua
var publishLua string

// Publish runs publish.lua on the server. Where an answer is lost on the way, the script runs once more: the event is published
// twice then, which is a publication that came a moment later.
func (s *Store) Publish(ctx context.Context, id core.ID) (core.Stamp, error) {
	return s.publish(ctx, id)
}

// publish runs the script, with data if it is given.
func (s *Store) publish(ctx context.Context, id core.ID, data ...any) (core.Stamp, error) {
	limited, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	script := goredis.NewScript(publishLua)
	stamp, err := script.Run(limited, s.client, []string{s.key(id)}, append([]any{s.options.Expire.Milliseconds()}, data...)...).Int64()
	if err != nil {
		return 0, errors.WithMessagef(s.explain(ctx, err), "publish %q", id)
	}
	return core.Stamp(stamp), nil
}
