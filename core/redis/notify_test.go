//go:build e2e

package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/redis"
	"novcomet/core/redis/redistest"
)

// interest is what a test waits for.
type interest struct {
	mu         sync.Mutex
	come, gone []core.ID
	turned     chan struct{}
}

func newInterest(ids ...core.ID) *interest {
	i := &interest{turned: make(chan struct{}, 1)}
	i.turn(ids, nil)
	return i
}

func (i *interest) turn(come, gone []core.ID) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.come, i.gone = append(i.come, come...), append(i.gone, gone...)
	select {
	case i.turned <- struct{}{}:
	default:
	}
}

func (i *interest) Turned() <-chan struct{} { return i.turned }

func (i *interest) Take() (come, gone []core.ID) {
	i.mu.Lock()
	defer i.mu.Unlock()
	come, gone, i.come, i.gone = i.come, i.gone, nil, nil
	return come, gone
}

// listener hears what a store tells of an interest.
type listener struct {
	*interest
	told  chan core.ID
	ended chan error
}

func listen(t testing.TB, store *redis.Store, ids ...core.ID) *listener {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &listener{newInterest(ids...), make(chan core.ID, 1_000_000), make(chan error, 1)}
	go func() {
		l.ended <- store.NotifyOf(ctx, l.interest, func(ids ...core.ID) {
			for _, id := range ids {
				l.told <- id
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-l.ended
	})
	return l
}

// hear waits until it has been told of each of the ids, and returns what else it was told of.
func (l *listener) hear(t testing.TB, ids ...core.ID) (others int) {
	t.Helper()
	missing := map[core.ID]bool{}
	for _, id := range ids {
		missing[id] = true
	}
	for deadline := time.After(redistest.Patience); len(missing) > 0; {
		select {
		case id := <-l.told:
			if !missing[id] {
				others++
			}
			delete(missing, id)
		case err := <-l.ended:
			l.ended <- err
			t.Fatalf("it ended with %v", err)
		case <-deadline:
			t.Fatalf("not told of %d events, such as %v", len(missing), missing)
		}
	}
	return others
}

// hears reports why the store does not tell of a publication.
func hears(t testing.TB, store *redis.Store, name string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), redistest.Patience)
	defer cancel()
	told := make(chan core.ID, 10)
	ended := make(chan error, 1)
	go func() {
		ended <- store.NotifyOf(ctx, newInterest(mustID(t, name)), func(ids ...core.ID) { told <- ids[0] })
	}()
	for range 2 { // when it listens, and when it is published
		select {
		case <-told:
		case err := <-ended:
			return fmt.Errorf("not told of it: %w", err)
		}
		if _, err := store.Publish(ctx, mustID(t, name)); err != nil {
			cancel()
			<-ended
			return err
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		return fmt.Errorf("it ended with %w", err)
	}
	return nil
}

func channels(server *redistest.Server) string {
	return fmt.Sprint(server.Do("PUBSUB", "CHANNELS", prefix+"*"))
}

func TestItTellsOfWhatIsWaitedForAloneOnOneConnection(t *testing.T) {
	server, store := single(t)
	proxy := redistest.StartProxy(t, server.Address())
	listening := open(t, redis.Options{Addresses: []string{proxy.Address}})
	a, b, c := mustID(t, "a"), mustID(t, "b"), mustID(t, "c d é'\"[]{}*?")
	l := listen(t, listening, a)
	l.hear(t, a)
	l.turn([]core.ID{b, c}, nil)
	l.hear(t, b, c)
	for range 100 {
		mustPublish(t, store, "elsewhere")
	}
	for _, id := range []core.ID{b, c, a} {
		mustPublish(t, store, id.String())
		if others := l.hear(t, id); others > 0 {
			t.Errorf("told of %d others when %v was published", others, id)
		}
	}
	if n := proxy.Accepted(); n != 1 {
		t.Errorf("%d connections; want 1", n)
	}
}

// A machine that is gone closes nothing.
func TestAConnectionThatFallsSilentIsReplaced(t *testing.T) {
	server, store := single(t)
	proxy := redistest.StartProxy(t, server.Address())
	a := mustID(t, "a")
	l := listen(t, open(t, redis.Options{Addresses: []string{proxy.Address}, Timeout: impatient}), a)
	l.hear(t, a)
	proxy.Stall()
	l.hear(t, a)
	mustPublish(t, store, "a")
	l.hear(t, a)
	if n := proxy.Accepted(); n < 2 {
		t.Errorf("%d connections", n)
	}
}

func TestTensOfThousandsOfEventsCanBeWaitedFor(t *testing.T) {
	const events = 20_000
	server, store := single(t)
	ids := make([]core.ID, events)
	for i := range ids {
		ids[i] = mustID(t, fmt.Sprintf("%d%s", i, strings.Repeat("-", core.MaxID-5)))
	}
	proxy := redistest.StartProxy(t, server.Address())
	l := listen(t, open(t, redis.Options{Addresses: []string{proxy.Address}}), ids...)
	l.hear(t, ids...)
	mustPublish(t, store, ids[events-1].String())
	l.hear(t, ids[events-1])
	proxy.Cut()
	l.hear(t, ids...)
	mustPublish(t, store, ids[0].String())
	l.hear(t, ids[0])
}

func TestWithoutTheRightToSubscribeItEndsAndSaysSo(t *testing.T) {
	server := withUsers(t, map[string]string{"novcomet": strings.Replace(rights, " &"+prefix+"*", " resetchannels", 1)})
	store := open(t, redis.Options{Addresses: []string{server.Address()}, Username: "novcomet", Password: "secret"})
	l := listen(t, store, mustID(t, "a"))
	select {
	case err := <-l.ended:
		l.ended <- err
		if err == nil || !strings.Contains(err.Error(), "subscribe") {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(redistest.Patience):
		t.Error("it goes on")
	}
}

func TestItEndsWithItsContextWhateverTheServerDoes(t *testing.T) {
	for name, trouble := range map[string]func(*redistest.Server) (undo func()){
		"is well": func(*redistest.Server) func() { return func() {} },
		"is gone": func(s *redistest.Server) func() { s.Kill(); return func() {} },
		"hangs":   func(s *redistest.Server) func() { return s.Freeze() },
	} {
		t.Run("it "+name, func(t *testing.T) {
			server, store := single(t)
			a := mustID(t, "a")
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			told, ended := make(chan struct{}, 100), make(chan error, 1)
			go func() { ended <- store.NotifyOf(ctx, newInterest(a), func(...core.ID) { told <- struct{}{} }) }()
			<-told
			defer trouble(server)()
			leaving := errors.New("leaving")
			cancel(leaving)
			select {
			case err := <-ended:
				if !errors.Is(err, leaving) {
					t.Errorf("it ended with %v; want the cause", err)
				}
			case <-time.After(redistest.Patience):
				t.Error("it goes on")
			}
		})
	}
}
