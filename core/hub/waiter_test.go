package hub_test

import (
	"testing"
	"time"

	"novcomet/core/hub"
	"novcomet/core/internal/coretest"
)

// repeating waits again as soon as it gets a result, until it has got n.
type repeating struct {
	hub.Waiter
	hub     *hub.Hub
	request hub.Request
	n       int
	results []*hub.Result
	done    chan struct{}
}

func (w *repeating) Deliver(r *hub.Result) {
	if w.results = append(w.results, r); len(w.results) == w.n {
		close(w.done)
		return
	}
	w.request.Subscriptions = r.Cursors
	w.hub.Wait(&w.Waiter, w.request, w)
}

func TestWaiter_CanWaitAgainWhenItGetsItsResult(t *testing.T) {
	s := coretest.NewMemory()
	inBubble(t, s, limits, func(f *fixture) {
		s.Set("a", at(-5))
		after(1.5, func() { s.Set("a", at(1.5)) })
		w := &repeating{hub: f.Hub, request: parse("a=0.0 b=now wait=3s pause=1s"), n: 3, done: make(chan struct{})}
		f.Wait(&w.Waiter, w.request, w)
		<-w.done
		for i, want := range []string{
			"a={-5.0} next a={-5.0} b=0.000000", "a={1.5} next a={1.5} b=0.000000", "unchanged next a={1.5} b=0.000000",
		} {
			if got := text(w.results[i]); got != coretest.Times(want) {
				t.Errorf("result %d: %s, want %s", i, got, coretest.Times(want))
			}
		}
		if since() != 5*time.Second {
			t.Errorf("the last result came after %v", since())
		}
	})
}
