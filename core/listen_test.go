package core_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

// telling is a memory that tells of its publications, where it is not deaf to them.
type telling struct {
	*memory
	delay   time.Duration // of the first call of changed
	forgets bool          // tells nothing but the first call
	fails   error         // of Notify

	mu       sync.Mutex
	changed  func(...core.ID)
	notified atomic.Int32
}

func (s *telling) Notify(ctx context.Context, changed func(...core.ID)) error {
	s.mu.Lock()
	s.notified.Add(1)
	fails := s.fails
	s.mu.Unlock()
	if fails != nil {
		return fails
	}
	time.Sleep(s.delay)
	s.mu.Lock()
	s.changed = changed
	s.mu.Unlock()
	changed()
	<-ctx.Done()
	return context.Cause(ctx)
}

// happens publishes, and tells of it.
func (s *telling) happens(t testing.TB, names ...string) {
	var ids []core.ID
	for _, name := range names {
		s.set(t, name, time.Now())
		ids = append(ids, mustID(t, name))
	}
	s.tell(ids...)
}

func (s *telling) tell(ids ...core.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed != nil && !s.forgets {
		s.changed(ids...)
	}
}

func TestAPollIsAnsweredWhenTheNotifierTells(t *testing.T) {
	for name, test := range map[string]struct {
		store    *telling
		after    time.Duration // of the publication
		answered time.Duration
	}{
		"at once": {&telling{}, 700 * time.Millisecond, 700 * time.Millisecond},
		"as soon as it listens, if it came before":      {&telling{delay: 900 * time.Millisecond}, 700 * time.Millisecond, 900 * time.Millisecond},
		"when it is time to look, if it forgot":         {&telling{forgets: true}, 700 * time.Millisecond, 2 * time.Second},
		"when it is time to look, if it can't tell":     {&telling{fails: errors.New("no instance left")}, 700 * time.Millisecond, 2 * time.Second},
		"not a second time, if it was found on arrival": {&telling{}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := test.store
				store.memory = newMemory()
				endpoint := core.NewEndpoint(store, core.Settings{Tries: 20, Sleep: 2 * time.Second})
				defer endpoint.Close()
				endpoint.Log = discard
				if test.after == 0 {
					store.set(t, "a", start.Add(-time.Second))
				} else {
					time.AfterFunc(test.after, func() { store.happens(t, "a") })
				}
				_, body := ask(t, endpoint, "subscribed[a]=0.0&subscribed[b]=now")
				// A stamp of this very microsecond is held for that long.
				if after := time.Since(start).Truncate(time.Millisecond); after != test.answered || !strings.Contains(body, `"k":{"a"`) {
					t.Errorf("%s after %v; want it after %v", body, after, test.answered)
				}
			})
		})
	}
}

func TestAPollThatIsAnsweredAtOnceStartsNoNotifier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &telling{memory: newMemory()}
		store.set(t, "a", start.Add(-time.Second))
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 20, Sleep: 2 * time.Second})
		defer endpoint.Close()
		ask(t, endpoint, "subscribed[a]=0.0")
		if store.notified.Load() != 0 {
			t.Errorf("started %d times", store.notified.Load())
		}
		ask(t, endpoint, "subscribed[a]=now")
		ask(t, endpoint, "subscribed[a]=now")
		if store.notified.Load() != 1 {
			t.Errorf("started %d times for two polls that wait; want 1", store.notified.Load())
		}
	})
}

func TestEventsThatNobodyWaitsForCostNoLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &telling{memory: newMemory()}
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 1, Sleep: time.Minute})
		defer endpoint.Close()
		time.AfterFunc(time.Second, func() {
			for range 10_000 {
				store.happens(t, "foreign")
			}
		})
		ask(t, endpoint, "subscribed[a]=now")
		if looks := store.looked(); len(looks) != 3 { // on arrival, when the Notifier listens, at the end
			t.Errorf("looked at %v", looks)
		}
	})
}

func TestALookForAChangeIsAtThatEventAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &telling{memory: newMemory()}
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 1, Sleep: time.Minute})
		defer endpoint.Close()
		var polls sync.WaitGroup
		for _, name := range []string{"a", "b", "c", "d"} {
			polls.Go(func() { ask(t, endpoint, "subscribed["+name+"]=now") })
		}
		time.Sleep(time.Second)
		before := store.asked.Load()
		store.happens(t, "b")
		time.Sleep(time.Second)
		if cost := store.asked.Load() - before; cost > 3 { // the change, and the poll's own last looks
			t.Errorf("asked for %d events", cost)
		}
		polls.Wait()
	})
}

func TestAClosedEndpointStopsListeningWhenNobodyWaitsAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &telling{memory: newMemory()}
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 20, Sleep: 2 * time.Second})
		time.AfterFunc(time.Second, endpoint.Close)
		time.AfterFunc(3*time.Second, func() { store.happens(t, "a") })
		if _, body := ask(t, endpoint, "subscribed[a]=0.0"); time.Since(start) >= 4*time.Second || !strings.Contains(body, `"k"`) {
			t.Errorf("%s after %v; want it when the notifier tells", body, time.Since(start))
		}
		// A goroutine that still listens would keep the bubble from ending.
	})
}

func TestThatANotifierCannotTellIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &telling{memory: newMemory(), fails: errors.New("no instance left")}
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 60, Sleep: 2 * time.Second})
		log, lines := recorded()
		endpoint.Log = log
		ask(t, endpoint, "subscribed[a]=now")
		endpoint.Close()
		if got := lines(); len(got) != 1 || !strings.Contains(got[0], "no instance left") {
			t.Errorf("logged %q; want one line with the reason", got)
		}
		if store.notified.Load() < 5 {
			t.Errorf("tried %d times in 2 minutes; want it to be tried again", store.notified.Load())
		}
	})
}

func TestANotifierThatCanTellAgainIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &telling{memory: newMemory(), fails: errors.New("no instance left")}
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 60, Sleep: 2 * time.Second})
		log, lines := recorded()
		endpoint.Log = log
		time.AfterFunc(15*time.Second, func() {
			store.mu.Lock()
			defer store.mu.Unlock()
			store.fails = nil
		})
		ask(t, endpoint, "subscribed[a]=now")
		endpoint.Close()
		if got := lines(); len(got) != 2 || !strings.Contains(got[1], "notifications restored") {
			t.Errorf("logged %q; want a line more, that it is over", got)
		}
	})
}

func TestDrainSpreadsThousandsOverTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const polls = 3000
		endpoint := core.NewEndpoint(newMemory(), core.Settings{Tries: 20, Sleep: 2 * time.Second})
		ended := make(chan time.Duration, polls)
		for range polls {
			go func() {
				ask(t, endpoint, "subscribed[a]=now")
				ended <- time.Since(start)
			}()
		}
		time.Sleep(time.Second)
		endpoint.Drain()
		inSecond := map[int]int{}
		for range polls {
			inSecond[int((<-ended).Seconds())]++
		}
		for second := 1; second <= 2; second++ {
			if inSecond[second] < polls*2/5 || inSecond[second] > polls*3/5 {
				t.Errorf("%d of %d were answered in second %d", inSecond[second], polls, second)
			}
		}
	})
}
