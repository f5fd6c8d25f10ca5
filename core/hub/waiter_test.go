package hub_test

import (
	"fmt"
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

// Otherwise, what changed before the result was dropped would never be delivered.
func TestWaiter_ResumesAsIfItHadNotBeenAnswered(t *testing.T) {
	for _, test := range []struct {
		contract, request, want string
	}{
		{"a precise request from now", "a=now b=now", "a={1.5} b={7.0} next a={1.5} b={7.0}"},
		{"a legacy request of a client whose clock is ahead", "a={2} b={2}", "a={1} b={7}"},
		{"an unchanged request", "c=0.0 wait=3s", "unchanged next c=0.000000"},
	} {
		t.Run(test.contract, func(t *testing.T) {
			s := coretest.NewMemory()
			inBubble(t, s, limits, func(f *fixture) {
				s.Set("a", at(-5))
				s.Set("b", at(-5))
				after(1.5, func() { s.Set("a", at(1.5)) })
				after(7, func() { s.Set("b", at(7)) }) // while it does not wait
				w := f.wait(test.request)
				<-w.result // dropped
				time.Sleep(10*time.Second - since())
				f.Resume(&w.Waiter)
				if got := text(<-w.result); got != coretest.Times(test.want) || since() != 10*time.Second {
					t.Errorf("%s after %v, want %s at once", got, since(), coretest.Times(test.want))
				}
			})
		})
	}
}

// A busy server drops and resumes many results. If each resumption made the hub check all events, it would be
// busier still.
func TestWaiter_ResumesWithoutACheckOfOtherEvents(t *testing.T) {
	const others, resumes = 100, 50
	s := coretest.NewMemory()
	inBubble(t, s, limits, func(f *fixture) {
		s.Set("a", at(-5))
		for i := range others {
			f.expect(0, fmt.Sprintf("e%d=now wait=1m pause=20s", i), fmt.Sprintf("unchanged next e%d=0.000000", i), time.Minute)
		}
		time.Sleep(19 * time.Second) // The next check of all events is due after 20 s.
		w := f.wait("a=0.0 pause=5s")
		<-w.result
		time.Sleep(6*time.Second + time.Millisecond)
		before := count(s)
		for range resumes {
			f.Resume(&w.Waiter)
			<-w.result
		}
		if n := count(s) - before; n != resumes {
			t.Errorf("%d resumptions checked %d events, want one each", resumes, n)
		}
	})
}
