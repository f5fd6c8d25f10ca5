package redis

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	pkgerrors "github.com/pkg/errors"
	goredis "github.com/redis/go-redis/v9"

	"novcomet/core/event"
	"novcomet/core/store"
)

// Watch subscribes to the channels of the interest's events, on one connection. If the connection is lost,
// Watch opens another one; the checks report that the server is down. Watch returns an error only if the user
// may not subscribe.
//
// Watch calls changed with an event when the server confirms the subscription, also on each new connection.
// The check that follows finds what was published before. The server sends a message for what is published
// later.
func (s *Store) Watch(ctx context.Context, interest store.Interest, changed func(...event.ID)) error {
	const minPause, maxPause = 50 * time.Millisecond, 2 * time.Second
	subscribed := subscriptions{}
	subscribed.update(interest.Diff())
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		began := time.Now()
		err := s.watchConnection(ctx, interest, subscribed, changed)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case isDenied(err):
			return pkgerrors.Wrap(err, "redis: subscribe to events")
		case time.Since(began) > maxPause:
			pause = minPause
		}
		select {
		case <-time.After(pause/2 + rand.N(pause/2)): // Many processes lose the same server at once.
		case <-ctx.Done():
		}
	}
}

// watchConnection opens a connection, and returns the reason when it is lost.
func (s *Store) watchConnection(
	ctx context.Context, interest store.Interest, subscribed subscriptions, changed func(...event.ID),
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	connection := s.client.Subscribe(ctx) // to no channel yet
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer stop()
	var sending sync.WaitGroup
	sending.Go(func() { cancel(s.send(ctx, connection, interest, subscribed)) })
	cancel(s.receive(ctx, connection, changed))
	sending.Wait()
	_ = connection.Close() // The first error is the reason.
	return context.Cause(ctx)
}

// pingInterval is how often the server has to show that it is there.
const pingInterval = 5 * time.Second

// receive calls changed for each message and each confirmed subscription.
func (s *Store) receive(ctx context.Context, connection *goredis.PubSub, changed func(...event.ID)) error {
	for {
		// After a timeout the connection cannot be used again: half of a message may have been read.
		message, err := connection.ReceiveTimeout(ctx, pingInterval+s.options.Timeout)
		if err != nil {
			return err
		}
		var channel string
		switch message := message.(type) {
		case *goredis.Message:
			channel = message.Channel
		case *goredis.Subscription:
			if message.Kind != "subscribe" {
				continue
			}
			channel = message.Channel
		}
		if id, err := event.ParseID(strings.TrimPrefix(channel, s.options.Prefix)); err == nil {
			changed(id)
		}
	}
}

// send subscribes and unsubscribes as the interest changes, and pings the server.
func (s *Store) send(
	ctx context.Context, connection *goredis.PubSub, interest store.Interest, subscribed subscriptions,
) error {
	ping := time.NewTicker(pingInterval)
	defer ping.Stop()
	err := s.inChunks(ctx, connection.Subscribe, subscribed.restart())
	for err == nil {
		select {
		case <-interest.Changed():
			err = s.inChunks(ctx, connection.Subscribe, subscribed.update(interest.Diff()))
		case <-ping.C:
			if err = s.inChunks(ctx, connection.Unsubscribe, subscribed.dropIdle()); err == nil {
				err = connection.Ping(ctx)
			}
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	return err
}

// inChunks runs a command with the channels of all ids. It splits them into several commands, so that the
// server can serve other clients in between.
func (s *Store) inChunks(ctx context.Context, command func(context.Context, ...string) error, ids []event.ID) error {
	const maxChannels = 500
	for channels := range slices.Chunk(s.keys(ids), maxChannels) {
		if err := command(ctx, channels...); err != nil {
			return err
		}
	}
	return nil
}
