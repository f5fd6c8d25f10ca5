package redis

import (
	"context"
	stderrors "errors"
	"fmt"

	"github.com/pkg/errors"
	goredis "github.com/redis/go-redis/v9"

	"novcomet/core"
)

// explain says what the client's error means for a publication: that the caller gave up, that it is about this one event,
// or that nothing can be published now. ctx is the caller's, without the time limit of the store.
func (s *Store) explain(ctx context.Context, err error) error {
	if ctx.Err() == nil && (isWrongType(err) || isDenied(err)) {
		return errors.Wrap(err, "redis")
	}
	return s.unavailable(ctx, err)
}

func (s *Store) unavailable(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case stderrors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: redis: no answer within %v", core.ErrUnavailable, s.options.Timeout)
	case goredis.HasErrorPrefix(err, "MOVED"):
		return fmt.Errorf("%w: redis: the server is one of a Cluster: name several of its addresses", core.ErrUnavailable)
	default:
		return fmt.Errorf("%w: %w", core.ErrUnavailable, errors.Wrap(err, "redis"))
	}
}

// isWrongType: something else is kept under the event's key.
func isWrongType(err error) bool { return goredis.HasErrorPrefix(err, "WRONGTYPE") }

// isDenied: the user lacks a right, perhaps to this key or channel alone.
func isDenied(err error) bool { return goredis.HasErrorPrefix(err, "NOPERM") }
