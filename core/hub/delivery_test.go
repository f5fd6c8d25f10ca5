package hub_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"novcomet/core/event"
	"novcomet/core/hub"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
)

// delivery is one request from its arrival to its answer. Its pause is 1 s, and its wait 20 s if it does not
// say otherwise. Stamps lag behind the clock by up to 20 ms.
type delivery struct {
	contract string
	events   string // stamps on arrival: "a=-5s"; what happens later: "+1s:a", "+1s:a=-60s", "+1s:a=removed"
	request  string // "at 400ms: a=now": when it arrives, and what it asks for
	result   string // "after 1s: a={0}": how long it waits, and what it gets
}

func runDeliveries(t *testing.T, timing store.Timing, deliveries []delivery) {
	for _, d := range deliveries {
		t.Run(d.contract, func(t *testing.T) {
			s := coretest.NewMemory()
			s.StoreTiming = timing
			inBubble(t, s, limits, func(f *fixture) { d.run(f, s) })
		})
	}
}

func (d delivery) run(f *fixture, s *coretest.Memory) {
	arrives, request := cutDuration(d.request, "at ")
	after, result := cutDuration(d.result, "after ")
	for _, field := range strings.Fields(d.events) {
		delay, change, later := strings.Cut(strings.TrimPrefix(field, "+"), ":")
		if !later {
			d.change(s, field)
			continue
		}
		time.AfterFunc(arrives+coretest.Must(time.ParseDuration(delay)), func() { d.change(s, change) })
	}
	f.expect(arrives, "wait=20s pause=1s "+request, result, arrives+after)
	f.running.Wait()
	time.Sleep(time.Minute) // All changes happen in the bubble.
}

func (d delivery) change(s *coretest.Memory, change string) {
	switch name, stamp, has := strings.Cut(change, "="); {
	case stamp == "removed":
		s.Set(name, time.Time{})
	case has:
		s.Set(name, coretest.Start.Add(coretest.Must(time.ParseDuration(stamp))))
	default:
		s.Set(name, time.Now())
	}
}

// cutDuration splits "at 400ms: a=now" into 400ms and "a=now". The duration can be missing.
func cutDuration(text, prefix string) (time.Duration, string) {
	duration, rest, found := strings.Cut(text, ": ")
	if !found {
		return 0, text
	}
	return coretest.Must(time.ParseDuration(strings.TrimPrefix(duration, prefix))), rest
}

func TestDelivery_OfLegacyAnswers(t *testing.T) {
	runDeliveries(t, store.Timing{Lag: lag}, []delivery{
		{"at once if the second of the stamp is later than T", "a=-5s", "a={-6}", "a={-5}"},
		{"not if the second of the stamp is T", "a=-5s", "a={-5}", "after 20s: unchanged"},
		{"not if the event does not exist", "", "a={-5}", "after 20s: unchanged"},
		{"with all changed events, in the order of the request",
			"a=-5s b=-4s c=-9s", "b={-9} c={-9} a={-9}", "b={-4} a={-5}"},
		{"with any event that was ever published if T is negative", "a=-999999s", "a=-1 b=-1", "a={-999999}"},
		{"if an event is published after the arrival and T is 0", "a=-1s +1500ms:a", "a=0", "after 2020ms: a={1}"},
		{"not with what was published earlier in the second of the arrival if T is 0",
			"a=100ms", "at 500ms: a=0", "after 20s: unchanged"},
		{"if an event is published in the second T, which comet.php lost",
			"a=100ms +300ms:a", "at 200ms: a={0}", "after 1s: a={0}"},
		{"if an event is first published in the second T", "+300ms:a", "at 200ms: a={0}", "after 1s: a={0}"},
		{"if the stamp becomes an earlier one", "a=-5s +500ms:a=-60s", "a={-5}", "after 1s: a={-60}"},
		{"not if an event is removed, but if it exists again",
			"a=-5s +500ms:a=removed +4200ms:a", "a={-5}", "after 5020ms: a={4}"},
		{"with the last 5 s if the client's clock is far ahead", "a=-5s", "a={600}", "a={-5}"},
		{"not with more than the last 5 s if the client's clock is far ahead",
			"a=-5001ms", "a={600}", "after 20s: unchanged"},
		{"if an event is published after the arrival and the client's clock is far ahead",
			"+2500ms:a", "a={600}", "after 3020ms: a={2}"},
		{"not with the last 5 s if the client's clock is only 2 s ahead",
			"a=-4s", "a={2} wait=10s", "after 10s: unchanged"},
		{"not with a stamp far ahead that the client has seen", "a=600s", "a={600}", "after 20s: unchanged"},
		{"at once with a stamp far ahead, because that second is not soon", "a=600s", "a={-1}", "a={600}"},
		{"if a stamp is no longer far ahead", "a=600s +500ms:a=500ms", "a={600}", "after 1020ms: a={0}"},
	})
}

func TestDelivery_HoldsALegacyAnswerUntilItsSecondsHaveEnded(t *testing.T) {
	runDeliveries(t, store.Timing{Lag: lag}, []delivery{
		{"the current second of an event in it", "a=300ms", "at 400ms: a={-5}", "after 620ms: a={0}"},
		{"a second that ended less than the lag before", "a=300ms", "at 1005ms: a={-5}", "after 15ms: a={0}"},
		{"not a second that ended before", "a=300ms", "at 1020ms: a={-5}", "a={0}"},
		{"a stamp 2 s ahead", "a=2s", "a={-5}", "after 3020ms: a={2}"},
		{"a stamp 5 s ahead, which a program has set", "a=5s", "a={-5}", "after 6020ms: a={5}"},
		{"not a stamp 6 s ahead", "a=6s", "a={-5}", "a={6}"},
		{"not a T 3 s ahead", "", "a={3} wait=0s", "unchanged"},
		{"the T of an event that is not in it", "a=-4s", "at 400ms: a={-5} b={0}", "after 620ms: a={-4}"},
		{"a T 2 s ahead, of a rounded or slightly wrong clock", "a=-4s", "a={-5} b={2}", "after 3020ms: a={-4}"},
		{"the T of an unchanged answer", "", "at 100ms: a={1} wait=1s", "after 1920ms: unchanged"},
		{"not a T of 0, because the client will not send that second",
			"", "at 100ms: a=0 wait=200ms", "after 200ms: unchanged"},
		{"a T that comes near while it is held", "a=300ms", "at 400ms: a={-5} b={3}", "after 3620ms: a={0}"},
		{"what changes before that joins the answer",
			"a=300ms +100ms:b +200ms:a", "at 400ms: b={-9} a={-5}", "after 620ms: b={0} a={0}"},
		{"what changes after that second waits for the next request",
			"a=300ms +605ms:b +606ms:a", "at 400ms: b={-9} a={-5}", "after 620ms: a={0}"},
		{"not longer than 8 s, though another T is always near",
			"", "a={0} b={2} c={4} d={6} e={8} f={10} wait=0s", "after 8s: unchanged"},
	})
}

func TestDelivery_OfPreciseAnswers(t *testing.T) {
	runDeliveries(t, store.Timing{Lag: lag}, []delivery{
		{"at once if the stamp differs from the cursor", "a=300ms", "at 400ms: a={0.2}", "a={0.3} next a={0.3}"},
		{"also if the stamp is earlier than the cursor", "a=-300s", "a={0.2}", "a={-300.0} next a={-300.0}"},
		{"not if the stamp is the cursor", "a=300ms", "at 400ms: a={0.3}", "after 20s: unchanged next a={0.3}"},
		{"not if the event was removed; the cursor stays",
			"", "at 400ms: a={0.3}", "after 20s: unchanged next a={0.3}"},
		{"with the first publication if the cursor is 0.0",
			"+1500ms:a", "a=0.000000", "after 2s: a={1.5} next a={1.5}"},
		{"with the cursors at once for now and a wait of 0",
			"a=-300s", "a=now b=now wait=0s", "unchanged next a={-300.0} b=0.000000"},
		{"if the stamp differs from the one on arrival for now",
			"a=-300s +1500ms:b", "a=now b=now", "after 2s: b={1.5} next a={-300.0} b={1.5}"},
		{"with stamps in the second of a legacy cursor, and later",
			"a=300ms", "at 400ms: a={0} b=now", "a={0.3} next a={0.3} b=0.000000"},
		{"with the same legacy cursor if there is no such stamp",
			"a=-300ms", "at 400ms: a={0} b=now wait=1s", "after 1s: unchanged next a={0} b=0.000000"},
		{"as for now if a legacy cursor is 0",
			"a=-300ms", "at 400ms: a=0 b=now wait=1s", "after 1s: unchanged next a={-0.3} b=0.000000"},
		{"not held for the second of a stamp", "a=1900ms", "at 400ms: a=0.0", "a={1.9} next a={1.9}"},
		{"held for a microsecond if a later publication could get the same stamp",
			"a=400ms", "at 400ms: a=0.0", "after 1us: a={0.4} next a={0.4}"},
	})
}

func TestDelivery_WithCoarseStamps(t *testing.T) {
	runDeliveries(t, store.Timing{Resolution: 10 * time.Millisecond, Lag: lag}, []delivery{
		{"an answer is held until its latest stamp is 10 ms old",
			"a=400ms", "at 404ms: a=0.0", "after 6ms: a={0.4} next a={0.4}"},
		{"a later stamp within that time waits for the next request",
			"a=400ms +4ms:a", "at 404ms: a=0.0", "after 6ms: a={0.4} next a={0.4}"},
		{"a stamp that is younger on arrival is new for now",
			"a=400ms", "at 404ms: a=now wait=0s", "after 6ms: a={0.4} next a={0.4}"},
		{"and for a legacy request in the second of its T",
			"a=400ms", "at 404ms: a={0}", "after 616ms: a={0}"},
		{"a stamp that is older than the lag is not",
			"a=400ms", "at 420ms: a=now wait=0s", "unchanged next a={0.4}"},
	})
}

// As with memcached: the clocks of publishers differ by up to 1 s, and it takes up to 200 ms to store a
// stamp.
func TestDelivery_WithClocksOfPublishers(t *testing.T) {
	runDeliveries(t, store.Timing{Lag: 1200 * time.Millisecond, Lead: time.Second}, []delivery{
		{"a stamp younger than the lag is new for now",
			"a=-1199ms", "a=now wait=0s", "a={-1.199} next a={-1.199}"},
		{"an older one is not", "a=-1200ms", "a=now wait=0s", "unchanged next a={-1.2}"},
		{"a stamp that is the cursor is not, however young it is",
			"a=-100ms", "a={-0.1} wait=0s", "unchanged next a={-0.1}"},
	})
	runDeliveries(t, store.Timing{Lag: lag, Lead: time.Second}, []delivery{
		{"a stamp that is ahead by less than the lead is new for now",
			"a=900ms", "a=now", "a={0.9} next a={0.9}"},
		{"one that is further ahead is not", "a=1100ms", "a=now", "after 20s: unchanged next a={1.1}"},
		{"a legacy answer with a stamp ahead is held until that second has ended",
			"a=1900ms", "at 1s: a={1}", "after 1020ms: a={1}"},
	})
}

// skewed is a store without a clock of its own. The process that checks and those that publish use their own
// clocks, and a publisher is delayed between reading its clock and storing the stamp.
type skewed struct {
	*coretest.Memory
	checks time.Duration // how far the clock of the checks is ahead
}

func (s *skewed) Check(ctx context.Context, ids []event.ID) (store.Snapshot, error) {
	snapshot, err := s.Memory.Check(ctx, ids)
	snapshot.Now = snapshot.Now.Add(s.checks)
	return snapshot, err
}

func (s *skewed) publish(name string, ahead, delay time.Duration) event.Stamp {
	stamp := event.StampOf(time.Now().Add(ahead))
	time.Sleep(delay)
	stamp = max(stamp, s.Stamps()[name]+event.Microsecond)
	s.Set(name, time.UnixMicro(int64(stamp)))
	return stamp
}

// Processes with different clocks publish an event some times, and its client must get the last publication.
// With a timing that does not say how far the clocks differ, clients must miss some: otherwise the test
// proves nothing.
func TestDelivery_LosesNothingIfClocksDifferWithinTheTiming(t *testing.T) {
	const skew, delay, histories = time.Second, 200 * time.Millisecond, 500
	for contract, test := range map[string]struct {
		cursor   string
		timing   store.Timing
		skew     time.Duration
		complete bool
	}{
		"legacy":                        {"", store.Timing{Lag: skew + delay, Lead: skew}, skew, true},
		"legacy, with another timing":   {"", store.Timing{Lag: lag}, skew, false},
		"precise":                       {"0.0", store.Timing{Lag: skew + delay, Lead: skew}, skew, true},
		"precise, clocks differ by 10s": {"0.0", store.Timing{Lag: skew + delay, Lead: skew}, 10 * skew, true},
	} {
		t.Run(contract, func(t *testing.T) {
			missed := 0
			for seed := range uint64(histories) {
				s := &skewed{Memory: coretest.NewMemory()}
				s.StoreTiming = test.timing
				inBubble(t, s, hub.Limits{}, func(f *fixture) {
					if !s.lastIsDelivered(f, rand.New(rand.NewPCG(seed, 0)), test.cursor, test.skew, delay) {
						missed++
					}
				})
			}
			if (missed == 0) != test.complete {
				t.Errorf("the last publication was missed in %d of %d histories", missed, histories)
			}
		})
	}
}

func (s *skewed) lastIsDelivered(f *fixture, random *rand.Rand, cursor string, skew, delay time.Duration) bool {
	upTo := func(d time.Duration) time.Duration { return time.Duration(random.Int64N(int64(d) + 1)) }
	s.checks = upTo(skew)
	time.Sleep(upTo(time.Second))
	if cursor == "" {
		cursor = fmt.Sprint(time.Now().Add(upTo(min(skew, time.Second))).Unix())
	}
	var delivered time.Time
	pause := upTo(1500 * time.Millisecond)
	f.running.Go(func() {
		for ; since() < 25*time.Second; time.Sleep(pause) {
			result := f.ask("a=" + cursor + " wait=3s pause=500ms")
			if stamp, changed := strings.CutPrefix(strings.Fields(result)[0], "a="); changed {
				delivered, cursor = time.Now(), stamp
			}
		}
	})
	time.Sleep(time.Millisecond)
	var last event.Stamp
	for range 1 + random.IntN(4) {
		time.Sleep(upTo(2 * time.Second))
		last = s.publish("a", upTo(skew), upTo(delay))
	}
	published := time.Now()
	f.running.Wait()
	if strings.Contains(cursor, ".") {
		return cursor == last.String()
	}
	return cursor == fmt.Sprint(last.Second()) && !delivered.Before(published)
}
