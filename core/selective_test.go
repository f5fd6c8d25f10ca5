package core_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

// selective is a Selective store that begins to listen to an event a while after it heard that somebody waits for it.
type selective struct {
	*memory
	delay time.Duration // until it hears, and again until it listens

	mu      sync.Mutex
	listens map[core.ID]bool
	changed func(...core.ID)
	came    []string // in the order heard
	went    []string
	breaks  chan error // ends NotifyOf
}

func newSelective(delay time.Duration) *selective {
	return &selective{memory: newMemory(), delay: delay, breaks: make(chan error)}
}

func (s *selective) NotifyOf(ctx context.Context, interest core.Interest, changed func(...core.ID)) error {
	s.mu.Lock()
	s.listens, s.changed = map[core.ID]bool{}, changed
	s.mu.Unlock()
	for {
		select {
		case <-interest.Turned():
		case err := <-s.breaks:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		pause(ctx, s.delay)
		come, gone := interest.Take()
		pause(ctx, s.delay)
		s.mu.Lock()
		for _, id := range come {
			s.came, s.listens[id] = append(s.came, id.String()), true
		}
		for _, id := range gone {
			s.went = append(s.went, id.String())
			delete(s.listens, id)
		}
		s.mu.Unlock()
		changed(come...)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (s *selective) Publish(ctx context.Context, id core.ID) (core.Stamp, error) {
	stamp, err := s.memory.Publish(ctx, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listens[id] {
		s.changed(id)
	}
	return stamp, err
}

// heard returns what was heard since it was called last, sorted.
func (s *selective) heard() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.came)
	slices.Sort(s.went)
	came, went := strings.Join(s.came, " "), strings.Join(s.went, " ")
	s.came, s.went = nil, nil
	return "+" + came + " -" + went
}

func TestASelectiveStoreHearsWhichEventsAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newSelective(0)
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 10, Sleep: time.Second})
		defer endpoint.Close()
		var polls sync.WaitGroup
		poll := func(query string) { polls.Go(func() { ask(t, endpoint, query) }) }
		expect := func(when, want string) {
			t.Helper()
			synctest.Wait()
			if got := store.heard(); got != want {
				t.Errorf("%s it heard %s; want %s", when, got, want)
			}
		}
		ask(t, endpoint, "subscribed[a]=now&wait=0")
		expect("of a poll that need not wait", "+ -")
		poll("subscribed[a]=now&subscribed[b]=now&wait=2")
		expect("when the first one waits", "+a b -")
		poll("subscribed[b]=now&subscribed[c]=now&wait=4")
		expect("when another one comes", "+c -")
		time.Sleep(2500 * time.Millisecond)
		expect("when the first one has left", "+ -a")
		polls.Wait()
		expect("when nobody waits", "+ -b c")
		poll("subscribed[c]=now&wait=2")
		expect("when somebody is back", "+c -")
		store.breaks <- fmt.Errorf("it broke")
		time.Sleep(5 * time.Second) // The next attempt is after 10 s.
		poll("subscribed[d]=now&wait=9")
		time.Sleep(6 * time.Second)
		expect("after it broke, of all anew", "+d -")
		polls.Wait()
	})
}

func TestAnEventThatIsBackBeforeItIsMissedIsNotHeardOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newSelective(100 * time.Millisecond)
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 10, Sleep: time.Second})
		defer endpoint.Close()
		ask(t, endpoint, "subscribed[a]=now&subscribed[b]=now&wait=1")
		ask(t, endpoint, "subscribed[a]=now&subscribed[c]=now&wait=1")
		if got := store.heard(); got != "+a b c -b" {
			t.Errorf("it heard %s; want +a b c -b", got)
		}
	})
}

// The store hears of an event late, listens to it later still, and polls come and go meanwhile. As it tells of each event when
// it has begun to listen, nothing falls between, and nobody waits for the next round, which is an hour away.
func TestWithASelectiveStoreNothingIsMissedAndNobodyWaitsForTheNextRound(t *testing.T) {
	const clients, events, published = 8, 5, 300
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			store := newSelective(20 * time.Millisecond)
			endpoint := core.NewEndpoint(store, core.Settings{Tries: 1, Sleep: time.Hour})
			defer endpoint.Close()
			last := map[string]core.Stamp{}
			var all sync.WaitGroup
			for c := range clients {
				name, pause := fmt.Sprintf("e%d", c%events), time.Duration(random.IntN(40))*time.Millisecond
				all.Go(func() {
					for seen := "0.000000"; ; time.Sleep(pause) {
						_, body := ask(t, endpoint, "subscribed["+name+"]="+seen+"&subscribed[end]=0.000000")
						changed, cursors, _ := strings.Cut(body, `"at":`)
						if strings.Contains(changed, `"end"`) {
							if want := last[name].String(); seen != want {
								t.Errorf("seed %d: the last a client saw of %s before the end was %s; want %s", seed, name, seen, want)
							}
							return
						}
						seen = strings.Split(cursors, `"`)[3]
					}
				})
			}
			for range published {
				time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
				name := fmt.Sprintf("e%d", random.IntN(events))
				stamp, err := store.Publish(t.Context(), mustID(t, name))
				if err != nil {
					t.Fatal(err)
				}
				last[name] = stamp
			}
			time.Sleep(time.Second)
			if _, err := store.Publish(t.Context(), mustID(t, "end")); err != nil {
				t.Fatal(err)
			}
			all.Wait()
		})
	}
}
