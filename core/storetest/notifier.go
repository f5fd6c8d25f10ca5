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
	waitedFor := newInterest()
	notify := notifier(t, store, waitedFor)
	publisher := store
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
	_, selective := store.(core.Selective)
	first := true
	changed := func(which ...core.ID) {
		mu.Lock()
		if first && len(which) > 0 && !selective {
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
	stop := start(t, notify, changed)
	defer stop()
	last := map[core.ID]core.Stamp{}
	for round := range rounds {
		for i, id := range ids {
			if i%rounds == round {
				waitedFor.come(id)
			}
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
	for range 3 { // It can be started again.
		waitedFor := newInterest(newID(t, "waited for"))
		notify := notifier(t, s.open(t), waitedFor)
		ctx, cancel := context.WithCancelCause(t.Context())
		listens := make(chan struct{})
		var once sync.Once
		ended := make(chan error, 1)
		go func() {
			ended <- notify(ctx, func(...core.ID) { once.Do(func() { close(listens) }) })
		}()
		within(t, "the first call, for it listens", func() {
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

// notifier returns how the store tells of changes, and skips the test where it does not, or says that it never can.
func notifier(t *testing.T, store core.Store, waitedFor *interest) func(context.Context, func(...core.ID)) error {
	t.Helper()
	var notify func(context.Context, func(...core.ID)) error
	switch store := store.(type) {
	case core.Selective:
		notify = func(ctx context.Context, changed func(...core.ID)) error {
			return store.NotifyOf(ctx, waitedFor.anew(), changed)
		}
	case core.Notifier:
		notify = store.Notify
	default:
		t.Skip("the store is no Notifier")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var err error
	within(t, "a notifier whose context has ended", func() { err = notify(ctx, func(...core.ID) {}) })
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("the store can't tell")
	}
	return notify
}

// start lets the notifier tell, until stop.
func start(t *testing.T, notify func(context.Context, func(...core.ID)) error, changed func(...core.ID)) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- notify(ctx, changed) }()
	return func() {
		cancel()
		within(t, "a notifier whose context has ended", func() {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("it ended by itself: %v", err)
			}
		})
	}
}

// interest is what a Selective store is told that is waited for. Nothing is ever waited for no longer.
type interest struct {
	turned chan struct{}

	mu    sync.Mutex
	all   []core.ID
	taken int
}

var _ core.Interest = (*interest)(nil)

func newInterest(ids ...core.ID) *interest {
	return &interest{turned: make(chan struct{}, 1), all: ids}
}

func (i *interest) come(id core.ID) {
	i.mu.Lock()
	i.all = append(i.all, id)
	i.mu.Unlock()
	i.turn()
}

func (i *interest) turn() {
	select {
	case i.turned <- struct{}{}:
	default:
	}
}

// anew is the interest for another call of NotifyOf, which takes everything.
func (i *interest) anew() *interest {
	i.mu.Lock()
	i.taken = 0
	i.mu.Unlock()
	i.turn()
	return i
}

func (i *interest) Turned() <-chan struct{} { return i.turned }

func (i *interest) Take() (come, gone []core.ID) {
	i.mu.Lock()
	defer i.mu.Unlock()
	come = slices.Clone(i.all[i.taken:])
	i.taken = len(i.all)
	return come, nil
}
