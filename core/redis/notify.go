package redis

import (
	"context"
	stderrors "errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pkg/errors"
	goredis "github.com/redis/go-redis/v9"

	"novcomet/core"
)

// NotifyOf listens on one connection of its own. When that is lost it makes another, again and again; that the server is gone,
// the looks tell. It gives up only where the user may not subscribe, or when the store is closed.
//
// It tells of an event when the server confirms that it is subscribed to, for the first time as after each new connection:
// what was published before that is seen by the look that follows, and of what is published after it the server tells.
func (s *Store) NotifyOf(ctx context.Context, interest core.Interest, changed func(...core.ID)) error {
	const shortest, longest = 50 * time.Millisecond, 2 * time.Second
	wanted := newSubscriptions()
	for pause := shortest; ; pause = min(2*pause, longest) {
		began := time.Now()
		err := s.listen(ctx, interest, wanted, changed)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case isDenied(err):
			return errors.Wrap(err, "redis: subscribe to events")
		case stderrors.Is(err, goredis.ErrClosed):
			return errors.Wrap(err, "redis")
		case time.Since(began) > longest:
			pause = shortest
		}
		select {
		case <-time.After(pause/2 + rand.N(pause/2)): // Many processes lose the same server at once.
		case <-ctx.Done():
		}
	}
}

// listen makes a connection, and returns when it is lost.
func (s *Store) listen(ctx context.Context, interest core.Interest, wanted *subscriptions, changed func(...core.ID)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	connection := s.client.Subscribe(ctx) // to nothing so far
	// The error of a connection that is closed says nothing.
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer stop()
	var asking sync.WaitGroup
	asking.Go(func() { cancel(s.ask(ctx, connection, interest, wanted)) })
	cancel(s.hear(ctx, connection, changed))
	asking.Wait()
	_ = connection.Close()
	return context.Cause(ctx)
}

// pingEvery is how often the server has to show that it is still there.
const pingEvery = 5 * time.Second

// hear passes on what the server says.
func (s *Store) hear(ctx context.Context, connection *goredis.PubSub, changed func(...core.ID)) error {
	for {
		// Once it is late, the connection is not used again: half of a message may have come.
		message, err := connection.ReceiveTimeout(ctx, pingEvery+s.options.Timeout)
		if err != nil {
			return err
		}
		switch message := message.(type) {
		case *goredis.Message:
			s.tell(message.Channel, changed)
		case *goredis.Subscription:
			if message.Kind == "subscribe" {
				s.tell(message.Channel, changed)
			}
		}
	}
}

func (s *Store) tell(channel string, changed func(...core.ID)) {
	if id, err := core.ParseID(strings.TrimPrefix(channel, s.options.Prefix)); err == nil {
		changed(id)
	}
}

// ask tells the server what is to be told of, and keeps the connection from falling silent.
func (s *Store) ask(ctx context.Context, connection *goredis.PubSub, interest core.Interest, wanted *subscriptions) error {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	err := s.inBatches(ctx, connection.Subscribe, wanted.all())
	for err == nil {
		select {
		case <-interest.Turned():
			err = s.inBatches(ctx, connection.Subscribe, wanted.turn(interest.Take()))
		case <-ping.C:
			if err = s.inBatches(ctx, connection.Unsubscribe, wanted.sweep()); err == nil {
				err = connection.Ping(ctx)
			}
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	return err
}

// inBatches keeps each command so small that the server serves others in between.
func (s *Store) inBatches(ctx context.Context, command func(context.Context, ...string) error, ids []core.ID) error {
	const batch = 500
	for some := range slices.Chunk(ids, batch) {
		channels := make([]string, len(some))
		for i, id := range some {
			channels[i] = s.key(id)
		}
		if err := command(ctx, channels...); err != nil {
			return err
		}
	}
	return nil
}
