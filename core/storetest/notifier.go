package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"novcomet/core"
)

// notifierTells publishes all the time while the notifier begins to listen. Whoever looks at what it tells of, and at
// everything on a call without an event, must in the end know the last stamp of each event.
func notifierTells(t *testing.T, s subject) {
	const events, rounds = 20, 10
	store := s.open(t)
	notifier := mustNotify(t, store)
	publisher := core.Store(notifier)
	if s.Place != nil {
		publisher = s.open(t)
	}
	ids := make([]core.ID, events)
	for i := range ids {
		ids[i] = newID(t, fmt.Sprintf("told %d", i))
	}
	var mu sync.Mutex
	known := map[core.ID]core.Stamp{}
	look := func(which ...core.ID) {
		snapshot, err := lookAt(t.Context(), store, which)
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for i, id := range which {
			known[id] = max(known[id], snapshot.Stamps[i])
		}
	}
	first := true
	changed := func(which ...core.ID) {
		mu.Lock()
		if first && len(which) > 0 {
			t.Errorf("the first call names %q; want none, for anything may have changed before", which)
		}
		first = false
		mu.Unlock()
		which = slices.DeleteFunc(slices.Clone(which), func(id core.ID) bool { return !slices.Contains(ids, id) })
		if len(which) == 0 {
			which = ids
		}
		look(which...)
	}
	stop := notify(t, notifier, changed)
	defer stop()
	last := map[core.ID]core.Stamp{}
	for range rounds {
		for _, id := range ids {
			last[id] = publish(t, publisher, id)
		}
	}
	waitFor(t, "the last stamp of each event is known by what the notifier told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		for id, stamp := range last {
			if known[id] != stamp {
				return false
			}
		}
		return true
	})
	// And when it is quiet: one publication, of which nothing else tells.
	stamp := publish(t, publisher, ids[0])
	waitFor(t, "it told of a single publication", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return known[ids[0]] == stamp
	})
}

func notifierEnds(t *testing.T, s subject) {
	notifier := mustNotify(t, s.open(t))
	for range 3 { // It can be started again.
		ctx, cancel := context.WithCancelCause(t.Context())
		listens := make(chan struct{})
		var once sync.Once
		ended := make(chan error, 1)
		go func() {
			ended <- notifier.Notify(ctx, func(...core.ID) { once.Do(func() { close(listens) }) })
		}()
		within(t, "the first call, that it listens", func() {
			select {
			case <-listens:
			case err := <-ended:
				t.Errorf("it ended by itself: %v", err)
				ended <- err
			}
		})
		leaving := errors.New("leaving")
		cancel(leaving)
		within(t, "Notify, when its context has ended", func() {
			if err := <-ended; !errors.Is(err, leaving) {
				t.Errorf("it returned %v; want the context's cause", err)
			}
		})
	}
}

// mustNotify skips the test where the store is no notifier, or says that it never can tell.
func mustNotify(t *testing.T, store core.Store) core.Notifier {
	t.Helper()
	notifier, ok := store.(core.Notifier)
	if !ok {
		t.Skip("the store is no Notifier")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var err error
	within(t, "Notify with a context that has ended", func() { err = notifier.Notify(ctx, func(...core.ID) {}) })
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("the store can't tell")
	}
	return notifier
}

// notify lets the notifier tell, until stop.
func notify(t *testing.T, notifier core.Notifier, changed func(...core.ID)) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- notifier.Notify(ctx, changed) }()
	return func() {
		cancel()
		within(t, "Notify, when its context has ended", func() {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("Notify ended by itself: %v", err)
			}
		})
	}
}
