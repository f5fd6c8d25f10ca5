package redis

import (
	"context"
	"errors"
	"fmt"

	pkgerrors "github.com/pkg/errors"
	goredis "github.com/redis/go-redis/v9"

	"novcomet/core/store"
)

// publishError returns the error of a publication. If it is not about this event alone, it wraps
// [store.ErrUnavailable]. ctx is the caller's context, without the store's timeout.
func (s *Store) publishError(ctx context.Context, err error) error {
	if ctx.Err() == nil && (isWrongType(err) || isDenied(err)) {
		return pkgerrors.Wrap(err, "redis")
	}
	return s.unavailable(ctx, err)
}

// unavailable wraps [store.ErrUnavailable]. If the caller's context has ended, it returns the cause of that
// instead.
func (s *Store) unavailable(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: redis: no answer within %v", store.ErrUnavailable, s.options.Timeout)
	case goredis.HasErrorPrefix(err, "MOVED"):
		const hint = "the server is one of a Cluster: name several of its addresses"
		return fmt.Errorf("%w: redis: %s", store.ErrUnavailable, hint)
	default:
		return fmt.Errorf("%w: %w", store.ErrUnavailable, pkgerrors.Wrap(err, "redis"))
	}
}

// isWrongType reports whether the key holds a value that is not a hash.
func isWrongType(err error) bool { return goredis.HasErrorPrefix(err, "WRONGTYPE") }

// isDenied reports whether the user lacks a right to the command, the key or the channel.
func isDenied(err error) bool { return goredis.HasErrorPrefix(err, "NOPERM") }

// isReply reports whether a server has sent the error.
func isReply(err error) bool {
	_, ok := errors.AsType[goredis.Error](err)
	return ok
}
