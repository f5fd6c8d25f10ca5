package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
)

func skipUnlessWatching(t *testing.T, s store.Store) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var err error
	within(t, "Watch with an ended context", func() { err = s.Watch(ctx, coretest.NewInterest(), func(...event.ID) {}) })
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("Watch is not supported")
	}
}

// watchNotifies checks the events of each notification, as a process does. In the end it must know the last
// stamp of each.
func (c contract) watchNotifies(t *testing.T) {
	const events, rounds = 20, 10
	publisher, s := c.openTwice(t)
	skipUnlessWatching(t, s)
	ids := make([]event.ID, events)
	stamps := make([]event.Stamp, events)
	for i := range ids {
		ids[i] = newID(fmt.Sprintf("watched-%d", i))
		stamps[i] = publish(t, publisher, ids[i], nil)
	}

	// The last publications were before the watch began.
	before := startObserver(t, s, ids, ids...)
	before.waitFor(t, "the stamps from before the watch", stamps)

	// Publications go on while the watch begins and its interest grows.
	during := startObserver(t, s, ids)
	for round := range rounds {
		for i, id := range ids {
			if i%rounds == round {
				during.interest.Add(id)
			}
			stamps[i] = publish(t, publisher, id, nil)
		}
	}
	during.waitFor(t, "the stamps from the beginning of the watch", stamps)

	// Nothing else is published then.
	stamps[0] = publish(t, publisher, ids[0], nil)
	during.waitFor(t, "the stamp of a single publication", stamps)
}

// observer checks the events of each notification.
type observer struct {
	t        *testing.T
	store    store.Store
	interest *coretest.Interest
	ids      []event.ID

	mu     sync.Mutex
	first  bool
	stamps []event.Stamp // as last checked, in the order of ids
}

// startObserver watches until the test ends. The interest begins with the interesting ids.
func startObserver(t *testing.T, s store.Store, ids []event.ID, interesting ...event.ID) *observer {
	t.Helper()
	o := &observer{
		t: t, store: s, interest: coretest.NewInterest(interesting...),
		ids: ids, first: true, stamps: make([]event.Stamp, len(ids)),
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		err := s.Watch(ctx, o.interest, o.changed)
		for errors.Is(err, syscall.EMFILE) && ctx.Err() == nil { // Other tests use all inotify instances of this user.
			time.Sleep(100 * time.Millisecond)
			err = s.Watch(ctx, o.interest, o.changed)
		}
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		within(t, "Watch with an ended context", func() {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("Watch ended by itself: %v", err)
			}
		})
	})
	return o
}

func (o *observer) changed(changed ...event.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	isForeign := func(id event.ID) bool { return !slices.Contains(o.ids, id) }
	if o.first && len(changed) > 0 && slices.ContainsFunc(changed, isForeign) {
		o.t.Errorf("the first notification has the ids %q; want none, or only those of the interest", changed)
	}
	o.first = false
	ids := o.ids
	if len(changed) > 0 {
		ids = slices.DeleteFunc(slices.Clone(changed), isForeign)
	}
	snapshot, err := checkAll(context.WithoutCancel(o.t.Context()), o.store, ids)
	if err != nil {
		o.t.Error(err)
		return
	}
	for i, id := range ids {
		o.stamps[slices.Index(o.ids, id)] = snapshot.Stamps[i]
	}
}

func (o *observer) waitFor(t *testing.T, what string, want []event.Stamp) {
	t.Helper()
	waitFor(t, what, func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return slices.Equal(o.stamps, want)
	})
}

func (c contract) watchEnds(t *testing.T) {
	s := c.open(t)
	skipUnlessWatching(t, s)
	for range 3 { // Watch can be called again.
		ctx, cancel := context.WithCancelCause(t.Context())
		watches := make(chan struct{})
		var once sync.Once
		ended := make(chan error, 1)
		go func() {
			interest := coretest.NewInterest(newID("interesting"))
			ended <- s.Watch(ctx, interest, func(...event.ID) { once.Do(func() { close(watches) }) })
		}()
		within(t, "the first notification", func() {
			select {
			case <-watches:
			case err := <-ended:
				t.Errorf("Watch ended by itself: %v", err)
				ended <- err
			}
		})
		leaving := errors.New("leaving")
		cancel(leaving)
		within(t, "Watch", func() {
			if err := <-ended; !errors.Is(err, leaving) {
				t.Errorf("Watch returned %v; want the context's cause", err)
			}
		})
	}
}
