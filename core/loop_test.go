package core_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

// A precise poll is never held, so its times are the loop's alone.
func TestTheLoopLooksAtOnceThenAfterEachSleepAndOnceMoreAfterTheLast(t *testing.T) {
	for _, test := range []struct {
		name      string
		tries     int
		published time.Duration // after the arrival; negative: never
		answered  time.Duration
		looks     []time.Duration
	}{
		{"changed at the first look", 3, 0, 0, []time.Duration{0}},
		{"between two looks", 3, 2500 * time.Millisecond, 4 * time.Second, []time.Duration{0, 2 * time.Second, 4 * time.Second}},
		{"in the last sleep", 3, 5900 * time.Millisecond, 6 * time.Second, []time.Duration{0, 2 * time.Second, 4 * time.Second, 6 * time.Second}},
		{"never", 3, -1, 6 * time.Second, []time.Duration{0, 2 * time.Second, 4 * time.Second, 6 * time.Second}},
		{"one try", 1, -1, 2 * time.Second, []time.Duration{0, 2 * time.Second}},
		{"no try", 0, -1, 0, []time.Duration{0}},
		{"comet.php's own", 20, -1, 40 * time.Second, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemory()
				if test.published >= 0 {
					time.AfterFunc(test.published, func() { store.set(t, "a", time.Now().Add(-time.Microsecond)) })
				}
				synctest.Wait()
				endpoint := core.NewEndpoint(store, core.Settings{Tries: test.tries, Sleep: 2 * time.Second})
				_, body := ask(t, endpoint, "subscribed[a]=0.000000")
				if after := time.Since(start); after != test.answered || strings.Contains(body, `"k"`) != (test.published >= 0) {
					t.Errorf("%s after %v; want an answer after %v", body, after, test.answered)
				}
				looks := store.looked()
				if test.looks != nil && !slices.Equal(looks, test.looks) {
					t.Errorf("looked at %v; want %v", looks, test.looks)
				}
				if test.looks == nil && len(looks) != test.tries+1 {
					t.Errorf("looked %d times; want one more than %d tries", len(looks), test.tries)
				}
			})
		})
	}
}

func TestEachPollCountsItsOwnTriesAndTheRoundsServeAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		endpoint := core.NewEndpoint(store, core.Settings{})
		ended := map[string]time.Duration{}
		var mu sync.Mutex
		var polls sync.WaitGroup
		poll := func(name string, arrives time.Duration, s core.Settings) {
			polls.Go(func() {
				time.Sleep(arrives)
				r := httptest.NewRequest(http.MethodGet, "/?subscribed[a]=now", nil)
				send(t, endpoint, r.WithContext(core.WithSettings(t.Context(), s)))
				mu.Lock()
				defer mu.Unlock()
				ended[name] = time.Since(start)
			})
		}
		poll("long", 0, core.Settings{Tries: 10, Sleep: 2 * time.Second})
		poll("short", time.Second, core.Settings{Tries: 3, Sleep: 2 * time.Second})
		poll("fast", 12500*time.Millisecond, core.Settings{Tries: 4, Sleep: 500 * time.Millisecond})
		polls.Wait()
		for name, want := range map[string]time.Duration{"long": 20 * time.Second, "short": 7 * time.Second, "fast": 14500 * time.Millisecond} {
			if ended[name] != want {
				t.Errorf("the %s one ended after %v; want %v", name, ended[name], want)
			}
		}
	})
}

func TestAPollIsLookedAtAfterEachSleepOfItsOwnWhateverTheOthersWant(t *testing.T) {
	for name, first := range map[string]bool{"it came first": true, "it came last": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemory()
				endpoint := core.NewEndpoint(store, core.Settings{})
				var slow sync.WaitGroup
				poll := func(query string, s core.Settings) {
					r := httptest.NewRequest(http.MethodGet, "/?"+query, nil)
					send(t, endpoint, r.WithContext(core.WithSettings(t.Context(), s)))
				}
				for i, delay := range []time.Duration{0, 2 * time.Second} {
					slow.Go(func() {
						time.Sleep(delay)
						poll(fmt.Sprintf("subscribed[slow-%d]=now", i), core.Settings{Tries: 4, Sleep: time.Minute})
					})
				}
				if !first {
					time.Sleep(time.Second)
				}
				arrival := time.Now()
				time.AfterFunc(20200*time.Millisecond, func() { store.set(t, "a", time.Now()) })
				poll("subscribed[a]=0.0", core.Settings{Tries: 600, Sleep: 100 * time.Millisecond})
				if after := time.Since(arrival); after > 20300*time.Millisecond {
					t.Errorf("answered after %v; want one sleep after the publication at 20.2s", after)
				}
				slow.Wait()
			})
		})
	}
}

func TestAPollThatLeavesDuringALookIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		store.slow = time.Second
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 60, Sleep: time.Minute})
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		endpoint.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/?subscribed[a]=now", nil))
		time.Sleep(time.Hour)
		if len(store.looked()) != 1 {
			t.Errorf("looked %d times; want 1: nobody waits any more", len(store.looked()))
		}
	})
}

func TestARoundLooksOnceAtEachEventHoweverManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const polls, seconds = 500, 60
		store := newMemory()
		endpoint := core.NewEndpoint(store, core.Settings{Tries: seconds, Sleep: time.Second})
		var waiting sync.WaitGroup
		for i := range polls {
			waiting.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				ask(t, endpoint, fmt.Sprintf("subscribed[common]=now&subscribed[own-%d]=now", i%10))
			})
		}
		waiting.Wait()
		// Each poll costs a look at its own two events when it comes and when it ends; the rounds between cost 11 events each.
		if limit := int64(2*2*polls + (seconds+1)*11); store.asked.Load() > limit {
			t.Errorf("asked for %d events in %d looks; want at most %d", store.asked.Load(), len(store.looked()), limit)
		}
	})
}

func TestAPollThatIsGivenUpLeavesTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 20, Sleep: time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		w := httptest.NewRecorder()
		endpoint.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/?subscribed[a]=now", nil))
		if after := time.Since(start); after != 2500*time.Millisecond || w.Body.Len() > 0 {
			t.Errorf("ended after %v with %q", after, w.Body)
		}
		time.Sleep(time.Minute)
		if len(store.looked()) != 3 {
			t.Errorf("looked %d times; want 3: nobody waits any more", len(store.looked()))
		}
	})
}

func TestDrainAnswersWhoeverWaitsAndWhoeverComesAsSoonAsTheRulesAllow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 20, Sleep: 2 * time.Second})
		var polls sync.WaitGroup
		expect := func(arrives time.Duration, query, answer string, ends time.Duration) {
			polls.Go(func() {
				time.Sleep(arrives)
				_, body := ask(t, endpoint, withTimes(query))
				if after := time.Since(start); body != withTimes(answer) || after != ends {
					t.Errorf("%s: %s after %v; want %s after %v", query, body, after, withTimes(answer), ends)
				}
			})
		}
		expect(0, "subscribed[a]=now", `{"s":0,"at":{"a":"0.000000"}}`, 3500*time.Millisecond)
		expect(0, "subscribed[a]={-5}", `{"s":0}`, 3500*time.Millisecond)
		expect(0, "subscribed[a]={3}", `{"s":0}`, 4*time.Second+lag)
		expect(5*time.Second, "subscribed[a]=now", `{"s":0,"at":{"a":"0.000000"}}`, 5*time.Second)
		time.AfterFunc(3500*time.Millisecond, endpoint.Drain)
		polls.Wait()
	})
}

func TestWhileTheStoreIsGonePollsWaitAndAreAnsweredInTheEnd(t *testing.T) {
	gone := errors.New("gone")
	for _, test := range []struct {
		name, query, answer string
		fails, works        time.Duration
		published           time.Duration
		after               time.Duration
	}{
		{"for good", "subscribed[a]={-5}", `{"s":0}`, 0, time.Hour, -time.Second, 10 * time.Second},
		{"for good, precisely", "subscribed[a]={-5.0}&subscribed[b]=now", `{"s":0,"at":{"a":"{-5.0}","b":"now"}}`, 0, time.Hour, -time.Second, 10 * time.Second},
		{"until the third look", "subscribed[a]={-5}", `{"s":1,"k":{"a":{-1}}}`, 0, 3500 * time.Millisecond, -time.Second, 4 * time.Second},
		{"while it is published", "subscribed[a]=0.000000", `{"s":1,"k":{"a":{2.5}},"at":{"a":"{2.5}"}}`, 1500 * time.Millisecond, 5500 * time.Millisecond, 2500 * time.Millisecond, 6 * time.Second},
		{"on arrival, with the clock of the client wrong", "subscribed[a]={600}", `{"s":1,"k":{"a":{-4}}}`, 0, 3500 * time.Millisecond, -4 * time.Second, 4 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemory()
				store.set(t, "a", time.Time{})
				if test.published < 0 {
					store.set(t, "a", start.Add(test.published))
				} else {
					time.AfterFunc(test.published, func() { store.set(t, "a", time.Now()) })
				}
				time.AfterFunc(test.fails, func() { store.fail(gone) })
				time.AfterFunc(test.works, func() { store.fail(nil) })
				synctest.Wait()
				endpoint := core.NewEndpoint(store, core.Settings{Tries: 10, Sleep: time.Second})
				endpoint.Log = discard
				_, body := ask(t, endpoint, withTimes(test.query))
				if after := time.Since(start); body != withTimes(test.answer) || after != test.after {
					t.Errorf("%s after %v; want %s after %v", body, after, withTimes(test.answer), test.after)
				}
				time.Sleep(2 * time.Hour)
			})
		})
	}
}

func TestThatTheStoreIsGoneAndBackIsLoggedOnceEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		store.fail(errors.New("it is on fire"))
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 10, Sleep: time.Second})
		log, lines := recorded()
		endpoint.Log = log
		time.AfterFunc(4500*time.Millisecond, func() { store.fail(nil) })
		ask(t, endpoint, "subscribed[a]=now")
		if got := lines(); len(got) != 2 || !strings.Contains(got[0], "it is on fire") || !strings.Contains(got[1], "reachable again") {
			t.Errorf("logged %q; want one line that names the reason, one that it is back", got)
		}
	})
}

func TestAnEndpointHasEndedWhenItIsClosedAndTheLastPollIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endpoint := core.NewEndpoint(newMemory(), core.Settings{Tries: 5, Sleep: time.Second})
		ended := func() bool {
			synctest.Wait()
			select {
			case <-endpoint.Ended():
				return true
			default:
				return false
			}
		}
		answered := make(chan string, 1)
		go func() {
			_, body := ask(t, endpoint, "subscribed[a]=now")
			answered <- body
		}()
		synctest.Wait()
		endpoint.Close()
		if ended() {
			t.Error("it has ended though a poll waits")
		}
		if body := <-answered; body != `{"s":0,"at":{"a":"0.000000"}}` || !ended() {
			t.Errorf("the poll was answered %s; ended: %v", body, ended())
		}
		ask(t, endpoint, "subscribed[a]=now") // Whoever comes later is answered all the same,
		endpoint.Close()                      // and it may be closed again.
		if !ended() {
			t.Error("it has not ended")
		}
		idle := core.NewEndpoint(newMemory(), core.Settings{})
		idle.Close()
		<-idle.Ended()
	})
}
