package hub_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core/hub"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
)

// A precise answer is not held, so the checks alone decide its time.
func TestHub_ChecksOnArrivalAfterEachPauseAndAtTheDeadline(t *testing.T) {
	for _, test := range []struct {
		contract  string
		wait      string
		published float64 // negative: never
		delivered time.Duration
		checks    []time.Duration
	}{
		{"found on arrival", "6s", 0, 0, []time.Duration{0}},
		{"published between two checks", "6s", 2.5, 4 * time.Second,
			[]time.Duration{0, 2 * time.Second, 4 * time.Second}},
		{"published before the last check", "6s", 5.9, 6 * time.Second,
			[]time.Duration{0, 2 * time.Second, 4 * time.Second, 6 * time.Second}},
		{"not published", "6s", -1, 6 * time.Second,
			[]time.Duration{0, 2 * time.Second, 4 * time.Second, 6 * time.Second}},
		{"a wait that is no multiple of the pause", "3s", -1, 3 * time.Second,
			[]time.Duration{0, 2 * time.Second, 3 * time.Second}},
		{"a wait of 0", "0s", -1, 0, []time.Duration{0}},
	} {
		t.Run(test.contract, func(t *testing.T) {
			s := coretest.NewMemory()
			inBubble(t, s, limits, func(f *fixture) {
				if test.published >= 0 {
					set := func() { s.Set("a", time.Now().Add(-time.Microsecond)) }
					after(test.published, set)
					synctest.Wait()
				}
				result := f.ask("a=0.0 pause=2s wait=" + test.wait)
				if since() != test.delivered || strings.Contains(result, "unchanged") != (test.published < 0) {
					t.Errorf("%s after %v, want it after %v", result, since(), test.delivered)
				}
				if got := s.Checks(); !slices.Equal(got, test.checks) {
					t.Errorf("checks at %v, want %v", got, test.checks)
				}
			})
		})
	}
}

func TestHub_KeepsTheWaitAndPauseOfEachRequest(t *testing.T) {
	s := coretest.NewMemory()
	inBubble(t, s, limits, func(f *fixture) {
		const unchanged = "unchanged next a=0.000000"
		f.expect(0, "a=now wait=20s pause=2s", unchanged, 20*time.Second)
		f.expect(time.Second, "a=now wait=6s pause=2s", unchanged, 7*time.Second)
		f.expect(12500*time.Millisecond, "a=now wait=2s pause=500ms", unchanged, 14500*time.Millisecond)
	})
	for contract, test := range map[string]struct{ arrives, delivered time.Duration }{
		"the shorter pause is first": {0, 20400 * time.Millisecond},
		"the shorter pause is last":  {time.Second, 20200 * time.Millisecond},
	} {
		t.Run(contract, func(t *testing.T) {
			s := coretest.NewMemory()
			inBubble(t, s, limits, func(f *fixture) {
				f.expect(0, "slow=now wait=4m pause=1m", "unchanged next slow=0.000000", 4*time.Minute)
				f.expect(2*time.Second, "slow=now wait=4m pause=1m", "unchanged next slow=0.000000", 242*time.Second)
				after(20.15, func() { s.Set("a", at(20.15)) })
				f.expect(test.arrives, "a=0.0 pause=300ms", "a={20.15} next a={20.15}", test.delivered)
			})
		})
	}
}

func TestHub_ChecksEachEventOnceForAllRequests(t *testing.T) {
	const requests, seconds = 500, 60
	s := coretest.NewMemory()
	inBubble(t, s, limits, func(f *fixture) {
		for i := range requests {
			request := fmt.Sprintf("common=now own-%d=now wait=%ds pause=1s", i%10, seconds)
			f.expect(time.Duration(i)*time.Millisecond, request,
				fmt.Sprintf("unchanged next common=0.000000 own-%d=0.000000", i%10),
				seconds*time.Second+time.Duration(i)*time.Millisecond)
		}
		f.running.Wait()
		// The two events of each request when it arrives and when it ends, and 11 events in each periodic
		// check.
		const limit = 2*2*requests + (seconds+1)*11
		if checked, _ := s.Counts(); checked > limit {
			t.Errorf("%d events were checked, want at most %d", checked, limit)
		}
	})
}

func TestHub_ForgetsACanceledRequest(t *testing.T) {
	for contract, test := range map[string]struct {
		slow, canceled time.Duration
		checks         int
	}{
		"between two checks": {0, 2500 * time.Millisecond, 2},
		"during a check":     {time.Second, 500 * time.Millisecond, 1},
	} {
		t.Run(contract, func(t *testing.T) {
			s := coretest.NewMemory()
			s.Slow = test.slow
			inBubble(t, s, limits, func(f *fixture) {
				w := f.wait("a=now")
				time.Sleep(test.canceled)
				if !f.Cancel(&w.Waiter) || f.Cancel(&w.Waiter) {
					t.Error("the first Cancel is in time, the second is not")
				}
				time.Sleep(time.Hour)
				if n := len(s.Checks()); n != test.checks || len(w.result) != 0 {
					t.Errorf("%d checks and %d results, want %d and none", n, len(w.result), test.checks)
				}
			})
		})
	}
	inBubble(t, coretest.NewMemory(), limits, func(f *fixture) {
		w := f.wait("a=now wait=0s")
		<-w.result
		if f.Cancel(&w.Waiter) {
			t.Error("Cancel after the delivery is in time")
		}
	})
}

func TestHub_CancelTakesNoOtherRequestAlong(t *testing.T) {
	for _, canceled := range [][]int{{0}, {1}, {2}, {0, 1}, {1, 0}, {1, 2}, {2, 1}, {0, 2}} {
		s := coretest.NewMemory()
		s.Watchable = true
		inBubble(t, s, limits, func(f *fixture) {
			requests := []*waiting{f.wait("a=now"), f.wait("a=now"), f.wait("a=now")}
			synctest.Wait()
			for _, i := range canceled {
				f.Cancel(&requests[i].Waiter)
			}
			time.Sleep(100 * time.Millisecond)
			s.Happen("a")
			time.Sleep(time.Millisecond)
			for i, w := range requests {
				if answered := len(w.result) == 1; answered == slices.Contains(canceled, i) {
					t.Errorf("%v canceled: request %d is answered: %v", canceled, i, answered)
				}
			}
		})
	}
}

func TestHub_CancelBeforeWaitChangesNothing(t *testing.T) {
	inBubble(t, coretest.NewMemory(), limits, func(f *fixture) {
		f.expect(0, "a=now wait=3s", "unchanged next a=0.000000", 3*time.Second)
		synctest.Wait()
		if f.Cancel(&hub.Waiter{}) {
			t.Error("Cancel of a request that does not wait is in time")
		}
	})
}

func TestHub_DoesNotCheckAnEventForWhichNoRequestWaits(t *testing.T) {
	s := coretest.NewMemory()
	inBubble(t, s, limits, func(f *fixture) {
		f.expect(0, "a=now", "unchanged next a=0.000000", time.Minute)
		orders := map[string]string{"b": "123", "c": "132", "d": "213", "e": "231", "f": "312", "g": "321"}
		for name, order := range orders {
			for i, wait := range order { // They arrive 10 ms apart, and end in this order.
				arrives := time.Duration(i) * 10 * time.Millisecond
				f.expect(arrives, fmt.Sprintf("%s=now wait=%cs", name, wait), "unchanged next "+name+"=0.000000",
					arrives+time.Duration(wait-'0')*time.Second)
			}
		}
		time.Sleep(4500 * time.Millisecond)
		before, checks := count(s), len(s.Checks())
		time.Sleep(40 * time.Second)
		if events, checks := count(s)-before, len(s.Checks())-checks; events != checks {
			t.Errorf("%d events in %d checks, want one in each", events, checks)
		}
	})
}

func count(s *coretest.Memory) int {
	checked, _ := s.Counts()
	return checked
}

func TestHub_AnswersARequestAboveALimitAtOnce(t *testing.T) {
	for name, l := range map[string]hub.Limits{
		"waiting requests (max_waiting)": {MaxWaiting: 1}, "distinct events (max_events)": {MaxEvents: 2},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, coretest.NewMemory(), l, func(f *fixture) {
				f.expect(0, "a=now b=now wait=20s", "unchanged next a=0.000000 b=0.000000", 20*time.Second)
				f.expect(time.Second, "c=now wait=20s", "unchanged next c=0.000000", time.Second)
				f.expect(2*time.Second, "d=now wait=20s", "unchanged next d=0.000000", 2*time.Second)
				f.expect(25*time.Second, "c=now wait=20s", "unchanged next c=0.000000", 45*time.Second)
				time.Sleep(50 * time.Second)
				lines := f.logged()
				if len(lines) != 1 || !strings.Contains(lines[0], "the limit of "+name+" is reached") {
					t.Errorf("logged %q; want one line about %s", lines, name)
				}
				f.SetLimits(hub.Limits{})
				f.expect(50*time.Second, "a=now b=now wait=20s", "unchanged next a=0.000000 b=0.000000", 70*time.Second)
				f.expect(51*time.Second, "c=now wait=20s", "unchanged next c=0.000000", 71*time.Second)
			})
		})
	}
}

func TestHub_DrainAnswersAsSoonAsTheRulesPermit(t *testing.T) {
	inBubble(t, coretest.NewMemory(), limits, func(f *fixture) {
		time.AfterFunc(3500*time.Millisecond, f.Drain)
		f.expect(0, "a=now", "unchanged next a=0.000000", 3500*time.Millisecond)
		f.expect(0, "a={-5}", "unchanged", 3500*time.Millisecond)
		f.expect(0, "a={3}", "unchanged", 4*time.Second+lag)
		f.expect(2500*time.Millisecond, "a={4} wait=0s", "unchanged", 5*time.Second+lag)
		f.expect(5*time.Second, "a=now", "unchanged next a=0.000000", 5*time.Second)
	})
	t.Run("a request that is being checked", func(t *testing.T) {
		s := coretest.NewMemory()
		s.Slow = time.Second
		inBubble(t, s, limits, func(f *fixture) {
			time.AfterFunc(500*time.Millisecond, f.Drain)
			f.expect(0, "x=now", "unchanged next x=0.000000", time.Second)
		})
	})
	t.Run("no answer is held for more than 4 s", func(t *testing.T) {
		s := coretest.NewMemory()
		inBubble(t, s, limits, func(f *fixture) {
			const end = 4500 * time.Millisecond
			s.Set("ahead", at(5))
			time.AfterFunc(500*time.Millisecond, f.Drain)
			f.expect(0, "ahead={-5}", "ahead={5}", end)
			f.expect(0, "ahead={-5} wait=0s", "ahead={5}", end)
			f.expect(0, "a={2} b={4} c={6}", "unchanged", end)
			f.expect(0, "a={2} b={4} wait=0s", "unchanged", end)
			f.expect(time.Second, "a={3} b={5}", "unchanged", end)
			f.expect(time.Second, "a={1}", "unchanged", 2*time.Second+lag)
		})
	})
	t.Run("a precise answer is held for its milliseconds all the same", func(t *testing.T) {
		s := coretest.NewMemory()
		s.StoreTiming = store.Timing{Resolution: 10 * time.Millisecond, Lag: lag}
		inBubble(t, s, limits, func(f *fixture) {
			f.Drain()
			time.AfterFunc(4500*time.Millisecond, func() { s.Set("a", at(4.5)) })
			f.expect(4503*time.Millisecond, "a=0.0", "a={4.5} next a={4.5}", 4510*time.Millisecond)
		})
	})
}

func TestHub_DrainSpreadsThousandsOfAnswersOver2s(t *testing.T) {
	inBubble(t, coretest.NewMemory(), limits, func(f *fixture) {
		const requests = 3000
		inSecond := map[int]int{}
		var mu sync.Mutex
		for range requests {
			f.running.Go(func() {
				f.ask("a=now")
				mu.Lock()
				defer mu.Unlock()
				inSecond[int(since().Seconds())]++
			})
		}
		time.Sleep(time.Second)
		f.Drain()
		f.running.Wait()
		for second := 1; second <= 2; second++ {
			if n := inSecond[second]; n < requests*2/5 || n > requests*3/5 {
				t.Errorf("%d of %d were answered in second %d", n, requests, second)
			}
		}
	})
}

func TestHub_KeepsRequestsWaitingWhileTheStoreFails(t *testing.T) {
	for _, test := range []struct {
		contract, request, result   string
		fails, works, published, at float64
	}{
		{"for good, legacy", "a={-5}", "unchanged", 0, 3600, -1, 10},
		{"for good, precise", "a={-5.0} b=now", "unchanged next a={-5.0} b=now", 0, 3600, -1, 10},
		{"until the third check", "a={-5}", "a={-1}", 0, 3.5, -1, 4},
		{"during a publication", "a=0.0", "a={2.5} next a={2.5}", 1.5, 5.5, 2.5, 6},
		{"on arrival, and the client's clock is wrong", "a={600}", "a={-4}", 0, 3.5, -4, 4},
	} {
		t.Run(test.contract, func(t *testing.T) {
			s := coretest.NewMemory()
			inBubble(t, s, limits, func(f *fixture) {
				publish := func() { s.Set("a", at(test.published)) }
				after(test.published, publish)
				after(test.fails, func() { s.Fail(errors.New("it burns")) })
				after(test.works, func() { s.Fail(nil) })
				synctest.Wait()
				f.expect(0, test.request+" wait=10s pause=1s", test.result, at(test.at).Sub(coretest.Start))
				f.running.Wait()
				time.Sleep(time.Hour)
			})
		})
	}
}

func TestHub_LogsAStoreFailureAndItsEndOnce(t *testing.T) {
	s := coretest.NewMemory()
	inBubble(t, s, limits, func(f *fixture) {
		s.Fail(errors.New("it burns"))
		time.AfterFunc(4500*time.Millisecond, func() { s.Fail(nil) })
		f.ask("a=now wait=10s pause=1s")
		lines := f.logged()
		if len(lines) != 2 ||
			!strings.Contains(lines[0], "it burns") || !strings.Contains(lines[1], "reachable again") {
			t.Errorf("logged %q; want the reason, and that the store is back", lines)
		}
	})
}
