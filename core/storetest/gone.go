package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"novcomet/core"
)

// contextEnds calls with a context that has ended, and with one that ends during the call. What a call returns then is
// open: it may have been faster.
func contextEnds(t *testing.T, s subject) {
	store := s.open(t)
	checkContextEnds(t, store, newID(t, "cancelled"))
}

func checkContextEnds(t *testing.T, store core.Store, id core.ID) {
	t.Helper()
	leaving := errors.New("leaving")
	for _, after := range []time.Duration{0, time.Millisecond} {
		for what, call := range map[string]func(context.Context) error{
			"Publish": func(ctx context.Context) error { _, err := store.Publish(ctx, id); return err },
			"Stamps":  func(ctx context.Context) error { _, err := store.Stamps(ctx, []core.ID{id}); return err },
		} {
			ctx, cancel := context.WithCancelCause(t.Context())
			if after == 0 {
				cancel(leaving)
			}
			stop := time.AfterFunc(after, func() { cancel(leaving) })
			within(t, what, func() {
				if err := call(ctx); errors.Is(err, context.Canceled) && !errors.Is(err, leaving) {
					t.Errorf("%s: %v; want the context's cause", what, err)
				}
			})
			stop.Stop()
			cancel(nil)
		}
	}
}

func goneAndBack(t *testing.T, s subject) {
	if s.Interrupt == nil {
		t.Skip("it can't be taken away")
	}
	store := s.open(t)
	id := newID(t, "gone")
	last := publish(t, store, id)
	for range 2 {
		resume := s.Interrupt(t)
		var err error
		waitFor(t, "Stamps says that the store is gone", func() bool {
			_, err = lookAt(t.Context(), store, []core.ID{id})
			return err != nil
		})
		if !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("Stamps: %v; want an error that wraps ErrUnavailable", err)
		}
		if stamp, err := store.Publish(t.Context(), id); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("Publish: %v, %v; want an error that wraps ErrUnavailable", stamp, err)
		}
		checkContextEnds(t, store, id)
		resume()
		waitFor(t, "Stamps works again", func() bool {
			_, err = lookAt(t.Context(), store, []core.ID{id})
			return err == nil
		})
		stamp := publish(t, store, id)
		if stamp <= last {
			t.Errorf("published at %v after it was gone, and at %v before", stamp, last)
		}
		if got := look(t, store, id).Stamps[0]; got != stamp {
			t.Errorf("published at %v after it was gone, but seen at %v", stamp, got)
		}
		last = stamp
	}
}
