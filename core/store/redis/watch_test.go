//go:build e2e

package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/servertest"
	"novcomet/core/store/redis"
)

// watch is a running Watch.
type watch struct {
	*coretest.Interest
	notified chan event.ID
	ended    chan error
}

func startWatch(t testing.TB, s *redis.Store, ids ...event.ID) *watch {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watch{coretest.NewInterest(ids...), make(chan event.ID, 1_000_000), make(chan error, 1)}
	go func() {
		w.ended <- s.Watch(ctx, w.Interest, func(ids ...event.ID) {
			for _, id := range ids {
				w.notified <- id
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-w.ended
	})
	return w
}

// expect waits for a notification of each of the ids, and returns how many others there were.
func (w *watch) expect(t testing.TB, ids ...event.ID) (others int) {
	t.Helper()
	missing := map[event.ID]bool{}
	for _, id := range ids {
		missing[id] = true
	}
	for deadline := time.After(servertest.Patience); len(missing) > 0; {
		select {
		case id := <-w.notified:
			if !missing[id] {
				others++
			}
			delete(missing, id)
		case err := <-w.ended:
			w.ended <- err
			t.Fatalf("Watch ended with %v", err)
		case <-deadline:
			t.Fatalf("no notification of %d events, such as %v", len(missing), missing)
		}
	}
	return others
}

// watchPublication returns why Watch does not notify of a publication.
func watchPublication(t testing.TB, s *redis.Store, name string) error {
	t.Helper()
	w := startWatch(t, s, coretest.MustID(name))
	for range 2 { // for the subscription, and for the publication
		select {
		case <-w.notified:
		case err := <-w.ended:
			w.ended <- err
			return fmt.Errorf("no notification: %w", err)
		case <-time.After(servertest.Patience):
			return errors.New("no notification")
		}
		if _, err := s.Publish(t.Context(), coretest.MustID(name), nil); err != nil {
			return err
		}
	}
	return nil
}

func TestWatch_NotifiesOfInterestOnOneConnection(t *testing.T) {
	server, s := start(t)
	proxy := servertest.StartProxy(t, server.Address())
	watching := open(t, redis.Options{Addresses: []string{proxy.Address}})
	a, b, c := coretest.MustID("a"), coretest.MustID("b"), coretest.MustID("c d é'\"[]{}*?")
	w := startWatch(t, watching, a)
	w.expect(t, a)
	w.Add(b, c)
	w.expect(t, b, c)
	for range 100 {
		publish(t, s, "elsewhere")
	}
	for _, id := range []event.ID{b, c, a} {
		publish(t, s, id.String())
		if others := w.expect(t, id); others > 0 {
			t.Errorf("%d notifications of other events before that of %v", others, id)
		}
	}
	if n := proxy.Accepted(); n != 1 {
		t.Errorf("%d connections; want 1", n)
	}
}

// A machine that loses its power does not close its connections.
func TestWatch_ReplacesSilentConnection(t *testing.T) {
	server, s := start(t)
	proxy := servertest.StartProxy(t, server.Address())
	a := coretest.MustID("a")
	w := startWatch(t, open(t, redis.Options{Addresses: []string{proxy.Address}, Timeout: impatient}), a)
	w.expect(t, a)
	proxy.Stall()
	w.expect(t, a)
	publish(t, s, "a")
	w.expect(t, a)
	if n := proxy.Accepted(); n < 2 {
		t.Errorf("%d connections; want a new one", n)
	}
}

func TestWatch_SubscribesTo20000Events(t *testing.T) {
	const events = 20_000
	server, s := start(t)
	ids := make([]event.ID, events)
	for i := range ids {
		ids[i] = coretest.MustID(fmt.Sprintf("%d%s", i, strings.Repeat("-", event.MaxID-5)))
	}
	proxy := servertest.StartProxy(t, server.Address())
	w := startWatch(t, open(t, redis.Options{Addresses: []string{proxy.Address}}), ids...)
	w.expect(t, ids...)
	publish(t, s, ids[events-1].String())
	w.expect(t, ids[events-1])
	proxy.Cut()
	w.expect(t, ids...)
	publish(t, s, ids[0].String())
	w.expect(t, ids[0])
}

func TestWatch_EndsIfUserMayNotSubscribe(t *testing.T) {
	_, s := startWithUser(t, noChannels)
	w := startWatch(t, s, coretest.MustID("a"))
	select {
	case err := <-w.ended:
		w.ended <- err
		if err == nil || !strings.Contains(err.Error(), "subscribe") {
			t.Errorf("Watch ended with %v", err)
		}
	case <-time.After(servertest.Patience):
		t.Error("Watch does not end")
	}
}

func TestWatch_EndsWithContext(t *testing.T) {
	for name, disturb := range map[string]func(*servertest.Redis) (undo func()){
		"the server answers": func(*servertest.Redis) func() { return func() {} },
		"the server is gone": func(r *servertest.Redis) func() { r.Kill(); return func() {} },
		"the server hangs":   func(r *servertest.Redis) func() { return r.Freeze() },
	} {
		t.Run(name, func(t *testing.T) {
			server, s := start(t)
			a := coretest.MustID("a")
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			notified, ended := make(chan struct{}, 100), make(chan error, 1)
			go func() {
				ended <- s.Watch(ctx, coretest.NewInterest(a), func(...event.ID) { notified <- struct{}{} })
			}()
			<-notified
			defer disturb(server)()
			leaving := errors.New("leaving")
			cancel(leaving)
			select {
			case err := <-ended:
				if !errors.Is(err, leaving) {
					t.Errorf("Watch ended with %v; want the cause", err)
				}
			case <-time.After(servertest.Patience):
				t.Error("Watch does not end")
			}
		})
	}
}
