package hub_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core/event"
	"novcomet/core/hub"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
)

// watched is a store whose Watch begins after a delay, forgets what happens, or fails.
type watched struct {
	*coretest.Memory
	delay   time.Duration
	forgets bool
	fails   atomic.Bool
	started atomic.Int32
}

var errNoInstance = errors.New("no inotify instance is left")

func newWatched() *watched {
	s := &watched{Memory: coretest.NewMemory()}
	s.Watchable = true
	return s
}

func (s *watched) Watch(ctx context.Context, interest store.Interest, changed func(...event.ID)) error {
	s.started.Add(1)
	if s.fails.Load() {
		return errNoInstance
	}
	time.Sleep(s.delay)
	if s.forgets {
		changed()
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return s.Memory.Watch(ctx, interest, changed)
}

func TestWatch_LeadsToACheck(t *testing.T) {
	for contract, test := range map[string]struct {
		delay          time.Duration
		forgets, fails bool
		delivered      time.Duration
	}{
		"at once":                    {0, false, false, 700 * time.Millisecond},
		"when it begins":             {900 * time.Millisecond, false, false, 900 * time.Millisecond},
		"not if it forgets a change": {0, true, false, 2 * time.Second},
		"not if it fails":            {0, false, true, 2 * time.Second},
	} {
		t.Run(contract, func(t *testing.T) {
			s := newWatched()
			s.delay, s.forgets = test.delay, test.forgets
			s.fails.Store(test.fails)
			inBubble(t, s, limits, func(f *fixture) {
				after(0.7, func() {
					s.Set("a", at(0.6))
					s.Notify("a")
				})
				f.expect(0, "a=0.0 b=now", "a={0.6} next a={0.6} b=0.000000", test.delivered)
			})
		})
	}
}

func TestWatch_BeginsWhenARequestHasToWait(t *testing.T) {
	s := newWatched()
	inBubble(t, s, limits, func(f *fixture) {
		s.Set("a", at(-1))
		f.ask("a=0.0")
		synctest.Wait()
		if n := s.started.Load(); n != 0 {
			t.Errorf("it was started %d times for a request that is answered at once", n)
		}
		f.ask("a=now")
		f.ask("a=now")
		if n := s.started.Load(); n != 1 {
			t.Errorf("it was started %d times for two requests that wait", n)
		}
	})
}

func TestWatch_ChecksOnlyTheEventsOfANotification(t *testing.T) {
	s := newWatched()
	inBubble(t, s, limits, func(f *fixture) {
		for _, name := range []string{"a", "c", "d"} {
			f.expect(0, name+"=now pause=1m", "unchanged next "+name+"=0.000000", time.Minute)
		}
		f.expect(0, "b=0.0 pause=1m", "b={0.5} next b={0.5}", time.Second)
		time.Sleep(time.Second)
		before, checks := count(s.Memory), len(s.Checks())
		for range 10_000 {
			s.Happen("foreign")
		}
		s.Set("b", at(0.5))
		s.Notify("b")
		time.Sleep(time.Second)
		if events, checks := count(s.Memory)-before, len(s.Checks())-checks; events != 1 || checks != 1 {
			t.Errorf("%d events in %d checks, want one", events, checks)
		}
	})
}

func TestWatch_NotifiesAgainAfterANotificationWithoutAChange(t *testing.T) {
	s := newWatched()
	inBubble(t, s, limits, func(f *fixture) {
		after(0.1, func() { s.Notify("a") })
		after(0.2, func() {
			s.Set("a", at(0.15))
			s.Notify("a")
		})
		f.expect(0, "a=now", "a={0.15} next a={0.15}", 200*time.Millisecond)
	})
}

func TestWatch_OfAClosedHubGoesOnWhileARequestWaits(t *testing.T) {
	s := newWatched()
	inBubble(t, s, limits, func(f *fixture) {
		after(1, f.Close)
		after(3, func() {
			s.Set("a", at(2.9))
			s.Notify("a")
		})
		f.expect(0, "a=0.0", "a={2.9} next a={2.9}", 3*time.Second)
		// A Watch that went on after that would keep the bubble from ending.
	})
}

func TestWatch_SurvivesAPanicInTheStore(t *testing.T) {
	s := faulty{coretest.NewMemory(), "Watch", true}
	inBubble(t, s, limits, func(f *fixture) {
		f.expect(0, "a=now wait=3s", "unchanged next a=0.000000", 3*time.Second)
		f.running.Wait()
		lines := f.logged()
		if len(lines) != 1 || !strings.Contains(lines[0], "the store panicked: a fault") {
			t.Errorf("logged %q; want the panic", lines)
		}
	})
}

func TestWatch_IsRepeatedAfterAFailure(t *testing.T) {
	s := newWatched()
	s.fails.Store(true)
	inBubble(t, s, limits, func(f *fixture) {
		f.ask("a=now wait=95s")
		lines := f.logged()
		if n := s.started.Load(); n != 10 || len(lines) != 1 || !strings.Contains(lines[0], errNoInstance.Error()) {
			t.Errorf("%d attempts, logged %q; want one every 10 s, and the reason once", n, lines)
		}
		s.fails.Store(false)
		f.ask("a=now wait=20s")
		if lines = f.logged(); len(lines) != 2 || !strings.Contains(lines[1], "notifications restored") {
			t.Errorf("logged %q; want a line when it works again", lines)
		}
	})
}

// selective is a store that watches only the events of the interest, each a while after it was added.
type selective struct {
	*coretest.Memory
	delay time.Duration // before Diff, and again after it
	fail  chan error    // ends Watch; made in the bubble

	mu             sync.Mutex
	watches        map[event.ID]bool
	changed        func(...event.ID)
	added, removed []string // since the last call of diff
}

func newSelective(delay time.Duration) *selective {
	return &selective{Memory: coretest.NewMemory(), delay: delay}
}

func (s *selective) Watch(ctx context.Context, interest store.Interest, changed func(...event.ID)) error {
	s.mu.Lock()
	s.watches, s.changed = map[event.ID]bool{}, changed
	s.mu.Unlock()
	for {
		select {
		case <-interest.Changed():
		case err := <-s.fail:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		sleep(ctx, s.delay)
		added, removed := interest.Diff()
		sleep(ctx, s.delay)
		s.mu.Lock()
		for _, id := range added {
			s.added, s.watches[id] = append(s.added, id.String()), true
		}
		for _, id := range removed {
			s.removed = append(s.removed, id.String())
			delete(s.watches, id)
		}
		s.mu.Unlock()
		changed(added...)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (s *selective) publish(name string) event.Stamp {
	id := coretest.MustID(name)
	stamp := coretest.Must(s.Publish(context.Background(), id, nil))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watches[id] {
		s.changed(id)
	}
	return stamp
}

// diff returns the events added and removed since the last call: "+a b -c".
func (s *selective) diff() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.added)
	slices.Sort(s.removed)
	defer func() { s.added, s.removed = nil, nil }()
	return "+" + strings.Join(s.added, " ") + " -" + strings.Join(s.removed, " ")
}

func TestInterest_FollowsTheWaitingRequests(t *testing.T) {
	s := newSelective(0)
	inBubble(t, s, limits, func(f *fixture) {
		s.fail = make(chan error)
		want := func(when, diff string) {
			t.Helper()
			synctest.Wait()
			if got := s.diff(); got != diff {
				t.Errorf("%s: %s, want %s", when, got, diff)
			}
		}
		f.ask("a=now wait=0s")
		want("a request that does not wait", "+ -")
		first := f.wait("a=now b=now wait=2s")
		want("a first request", "+a b -")
		second := f.wait("b=now c=now wait=4s")
		want("a second request", "+c -")
		<-first.result
		want("the first has ended", "+ -a")
		<-second.result
		want("both have ended", "+ -b c")
		f.wait("c=now wait=2s")
		want("another request", "+c -")
		s.fail <- errors.New("the connection is lost")
		time.Sleep(5 * time.Second) // The next attempt is after 10 s.
		last := f.wait("d=now wait=9s")
		time.Sleep(6 * time.Second)
		want("a new Watch begins with the whole set", "+d -")
		<-last.result
	})
}

func TestInterest_OmitsAnEventThatIsRemovedAndAddedAgain(t *testing.T) {
	s := newSelective(100 * time.Millisecond)
	inBubble(t, s, limits, func(f *fixture) {
		f.ask("a=now b=now wait=1s")
		f.ask("a=now c=now wait=1s")
		if diff := s.diff(); diff != "+a b c -b" {
			t.Errorf("%s, want +a b c -b", diff)
		}
	})
}

// The store watches an event late, and requests come and go meanwhile. As it notifies of each event when it
// begins to watch it, no publication is missed, and no request waits for the next periodic check, which is an
// hour away.
func TestInterest_MissesNothingThoughTheStoreWatchesLate(t *testing.T) {
	const clients, events, publications = 8, 5, 300
	for seed := range uint64(20) {
		s := newSelective(20 * time.Millisecond)
		inBubble(t, s, hub.Limits{}, func(f *fixture) {
			random := rand.New(rand.NewPCG(seed, 0))
			last := map[string]event.Stamp{}
			for c := range clients {
				name, pause := fmt.Sprintf("e%d", c%events), time.Duration(random.IntN(40))*time.Millisecond
				f.running.Go(func() {
					for cursor := "0.0"; ; time.Sleep(pause) {
						result := <-f.wait(name + "=" + cursor + " end=0.0 wait=1h pause=1h").result
						if len(result.Changed) > 0 && result.Changed[len(result.Changed)-1].ID.String() == "end" {
							if want := last[name].String(); cursor != want {
								t.Errorf("seed %d: %s was %s before the end, want %s", seed, name, cursor, want)
							}
							return
						}
						cursor = result.Cursors[0].Cursor.String()
					}
				})
			}
			for range publications {
				time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
				name := fmt.Sprintf("e%d", random.IntN(events))
				last[name] = s.publish(name)
			}
			time.Sleep(time.Second)
			s.publish("end")
		})
	}
}

// slowWatch is a store whose Watch needs a while to end.
type slowWatch struct {
	*watched
	running atomic.Bool
}

func (s *slowWatch) Watch(ctx context.Context, i store.Interest, changed func(...event.ID)) error {
	s.running.Store(true)
	defer s.running.Store(false)
	err := s.watched.Watch(ctx, i, changed)
	time.Sleep(5 * time.Millisecond)
	return err
}

func TestWatch_HasEndedWhenTheHubHas(t *testing.T) {
	s := &slowWatch{watched: newWatched()}
	inBubble(t, s, limits, func(f *fixture) {
		f.ask("a=now wait=1s")
		f.Close()
		<-f.Ended()
		if s.running.Load() {
			t.Error("the store is still watched")
		}
	})
}
