package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"novcomet/core/event"
	"novcomet/core/store"
)

func (c contract) contextEnds(t *testing.T) { wantCallsToEnd(t, c.open(t), newID("context")) }

// wantCallsToEnd calls with a context that has ended, and with one that ends during the call. The call may
// succeed.
func wantCallsToEnd(t *testing.T, s store.Store, id event.ID) {
	t.Helper()
	leaving := errors.New("leaving")
	for _, after := range []time.Duration{0, time.Millisecond} {
		for method, call := range map[string]func(context.Context) error{
			"Publish": func(ctx context.Context) error { _, err := s.Publish(ctx, id, nil); return err },
			"Check":   func(ctx context.Context) error { _, err := s.Check(ctx, []event.ID{id}); return err },
			"Data":    func(ctx context.Context) error { _, err := s.Data(ctx, []event.ID{id}, noLimit); return err },
		} {
			ctx, cancel := context.WithCancelCause(t.Context())
			if after == 0 {
				cancel(leaving)
			}
			timer := time.AfterFunc(after, func() { cancel(leaving) })
			within(t, method, func() {
				if err := call(ctx); errors.Is(err, context.Canceled) && !errors.Is(err, leaving) {
					t.Errorf("%s: %v; want the context's cause", method, err)
				}
			})
			timer.Stop()
			cancel(nil)
		}
	}
}

func (c contract) outage(t *testing.T) {
	if c.Interrupt == nil {
		t.Skip("the store cannot be interrupted")
	}
	s, id := c.open(t), newID("outage")
	last := publish(t, s, id, nil)
	for range 2 {
		resume := c.Interrupt(t)
		var err error
		waitFor(t, "an error of Check", func() bool {
			_, err = checkAll(t.Context(), s, []event.ID{id})
			return err != nil
		})
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Check: %v; want ErrUnavailable", err)
		}
		if stamp, err := s.Publish(t.Context(), id, nil); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Publish: %v, %v; want ErrUnavailable", stamp, err)
		}
		wantCallsToEnd(t, s, id)
		resume()
		waitFor(t, "success of Check", func() bool {
			_, err = checkAll(t.Context(), s, []event.ID{id})
			return err == nil
		})
		stamp := publish(t, s, id, nil)
		if seen := check(t, s, id).Stamps[0]; stamp <= last || seen != stamp {
			t.Errorf("after the outage, Publish returned %v and Check %v; before, the stamp was %v", stamp, seen, last)
		}
		last = stamp
	}
}
