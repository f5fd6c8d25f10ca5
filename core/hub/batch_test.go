package hub_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
)

// slowCheck is a store that reads its clock first, as files do, and the stamps some time later.
type slowCheck struct {
	*coretest.Memory
	takes time.Duration
}

func (s slowCheck) Check(ctx context.Context, ids []event.ID) (store.Snapshot, error) {
	now := event.StampOf(time.Now())
	time.Sleep(s.takes)
	snapshot, err := s.Memory.Check(ctx, ids)
	snapshot.Now = now
	return snapshot, err
}

func TestBatch_CountsAPublicationDuringTheFirstCheckAsNew(t *testing.T) {
	const takes = 40 * time.Millisecond
	for contract, test := range map[string]struct {
		timing    store.Timing
		stamp     float64
		request   string
		result    string
		delivered time.Duration
	}{
		"legacy": {store.Timing{Lag: lag}, 0.02, "a={0}", "a={0}", time.Second + lag + takes},
		"now":    {store.Timing{Lag: lag}, 0.02, "a=now", "a={0.02} next a={0.02}", 2 * takes},
		"now, and the publisher's clock is behind": {store.Timing{Lag: 1200 * time.Millisecond, Lead: time.Second}, -1,
			"a=now", "a={-1.0} next a={-1.0}", takes},
	} {
		t.Run(contract, func(t *testing.T) {
			s := slowCheck{coretest.NewMemory(), takes}
			s.StoreTiming = test.timing
			inBubble(t, s, limits, func(f *fixture) {
				s.Set("a", at(-3600))
				after(0.02, func() { s.Set("a", at(test.stamp)) })
				f.expect(0, test.request, test.result, test.delivered)
			})
		})
	}
}

func TestBatch_CountsAPublicationBeforeTheFirstCheckAsNew(t *testing.T) {
	s := slowCheck{coretest.NewMemory(), 40 * time.Millisecond}
	inBubble(t, s, limits, func(f *fixture) {
		s.Set("a", at(-3600))
		f.expect(0, "x=now wait=1s", "unchanged next x=0.000000", time.Second+s.takes)
		after(0.02, func() { s.Set("a", at(0.02)) })
		// It arrives during the check of x. Its answer is released in a check that begins after 1.04 s.
		f.expect(10*time.Millisecond, "a={0}", "a={0}", time.Second+2*s.takes)
	})
}

func TestBatch_ChecksAllEventsOfARequestThatArrivesDuringACheck(t *testing.T) {
	s := coretest.NewMemory()
	s.Slow = time.Second
	inBubble(t, s, limits, func(f *fixture) {
		s.Set("y", at(-3600))
		after(0.5, func() { s.Set("x", at(0.5)) })
		f.expect(0, "x=0.0", "x={0.5} next x={0.5}", time.Second)
		f.expect(700*time.Millisecond, "x=now y=now wait=5s", "unchanged next x={0.5} y={-3600.0}",
			6700*time.Millisecond)
	})
}

// A check for another request finds one event. If the answer relied on that alone, the client would send a T
// that hides the publication of the other event for ever.
func TestBatch_ChecksAllEventsBeforeALegacyAnswer(t *testing.T) {
	s := coretest.NewMemory()
	inBubble(t, s, limits, func(f *fixture) {
		after(0.5, func() { s.Set("b", at(0.5)) })
		after(0.7, func() { s.Set("a", at(0.7)) })
		f.expect(0, "a={0} b={0}", "a={0} b={0}", 1500*time.Millisecond)
		f.expect(1500*time.Millisecond, "a={-9}", "a={0}", 1500*time.Millisecond)
	})
}

func TestBatch_ChecksOnceForALegacyAnswerIfAllEventsWereChecked(t *testing.T) {
	s := coretest.NewMemory()
	inBubble(t, s, limits, func(f *fixture) {
		after(1.5, func() { s.Set("a", at(0.5)) })
		f.expect(0, "a={-9} b={-9}", "a={0}", 2*time.Second)
		f.running.Wait()
		if checks, want := s.Checks(), []time.Duration{0, 2 * time.Second}; !slices.Equal(checks, want) {
			t.Errorf("checks at %v, want %v", checks, want)
		}
	})
}

func TestBatch_HoldsNoAnswerForLongAfterTheClockWasSetBack(t *testing.T) {
	s := coretest.NewMemory()
	inBubble(t, s, limits, func(f *fixture) {
		s.Set("a", at(0.3))
		after(0.5, func() { s.SetBack(time.Hour) })
		time.Sleep(400 * time.Millisecond)
		if result := f.ask("a={-5}"); since() > 10*time.Second {
			t.Errorf("%s after %v", result, since())
		}
	})
}

func TestBatch_ChecksARequestThatArrivedWhileTheStoreFailed(t *testing.T) {
	t.Run("with all its events", func(t *testing.T) {
		s := coretest.NewMemory()
		inBubble(t, s, limits, func(f *fixture) {
			s.Set("x", at(-3600))
			s.Fail(errors.New("it burns"))
			after(0.5, func() { s.Set("y", at(0.5)) })
			after(1, func() { s.Fail(nil) })
			// The second request leads to a check that finds x. If the first one were answered with that
			// alone, its next cursor of y would be "now", and the client would miss the publication.
			f.expect(0, "x=0.0 y=now", "x={-3600.0} y={0.5} next x={-3600.0} y={0.5}", 1500*time.Millisecond)
			f.expect(1500*time.Millisecond, "x=0.0", "x={-3600.0} next x={-3600.0}", 1500*time.Millisecond)
		})
	})
	t.Run("with the next periodic check", func(t *testing.T) {
		s := coretest.NewMemory()
		inBubble(t, s, limits, func(f *fixture) {
			s.Set("x", at(-3600))
			f.expect(0, "x=now wait=20s", "unchanged next x={-3600.0}", 20*time.Second)
			after(0.5, func() { s.Fail(errors.New("it burns")) })
			after(3.5, func() { s.Fail(nil) })
			f.expect(time.Second, "x=0.0", "x={-3600.0} next x={-3600.0}", 4*time.Second)
		})
	})
}

// The client got second 7 long before it came. The hub cannot know that when the client sends it, because the
// store fails.
func TestBatch_HoldsAnAnswerForATThatMayBeAStampWhileTheStoreFails(t *testing.T) {
	s := coretest.NewMemory()
	inBubble(t, s, limits, func(f *fixture) {
		s.Set("a", at(7.5))
		f.expect(0, "a={-5}", "a={7}", 0)
		after(1, func() { s.Fail(errors.New("it burns")) })
		after(4.5, func() { s.Fail(nil) })
		after(6.5, func() { s.Set("a", at(6.5)) })
		f.expect(4300*time.Millisecond, "a={7} wait=0s", "a={6}", 8*time.Second+lag)
	})
}

// faulty is a store with a method that panics, or returns too little.
type faulty struct {
	*coretest.Memory
	method string
	panics bool
}

func (s faulty) Check(ctx context.Context, ids []event.ID) (store.Snapshot, error) {
	snapshot, err := s.Memory.Check(ctx, ids)
	if s.fails("Check") {
		snapshot.Stamps = nil
	}
	return snapshot, err
}

func (s faulty) Data(ctx context.Context, ids []event.ID, limit int) ([]store.Content, error) {
	contents, err := s.Memory.Data(ctx, ids, limit)
	if s.fails("Data") {
		contents = nil
	}
	return contents, err
}

func (s faulty) Watch(ctx context.Context, interest store.Interest, changed func(...event.ID)) error {
	s.fails("Watch")
	return s.Memory.Watch(ctx, interest, changed)
}

func (s faulty) fails(method string) bool {
	if s.method == method && s.panics {
		panic("a fault")
	}
	return s.method == method
}

func TestBatch_SurvivesAFaultInTheStore(t *testing.T) {
	for _, test := range []struct {
		store faulty
		log   string
	}{
		{faulty{method: "Check", panics: true}, "the store panicked: a fault"},
		{faulty{method: "Check"}, "the store returned 0 stamps for 1 events"},
		{faulty{method: "Data", panics: true}, "the store panicked: a fault"},
		{faulty{method: "Data"}, "the store returned the data of 0 events for 1"},
	} {
		t.Run(test.log+" in "+test.store.method, func(t *testing.T) {
			test.store.Memory = coretest.NewMemory()
			inBubble(t, test.store, limits, func(f *fixture) {
				test.store.Set("a", at(-5))
				f.expect(0, "a=0.0 data wait=3s", "unchanged next a=0.000000", 3*time.Second)
				f.running.Wait()
				if lines := f.logged(); len(lines) == 0 || !strings.Contains(lines[0], test.log) {
					t.Errorf("logged %q; want %q", lines, test.log)
				}
			})
		})
	}
}

// parted is a store of two servers. The one with the events "far…" fails until 6.5 s after the start.
type parted struct{ *coretest.Memory }

func (s parted) Check(ctx context.Context, ids []event.ID) (store.Snapshot, error) {
	snapshot, err := s.Memory.Check(ctx, ids)
	for i, id := range ids {
		if since() < 6500*time.Millisecond && strings.HasPrefix(id.String(), "far") {
			snapshot.Stamps[i] = store.Unknown
			snapshot.Partial = fmt.Errorf("%w: the far server", store.ErrUnavailable)
		}
	}
	return snapshot, err
}

func newParted() parted {
	s := parted{coretest.NewMemory()}
	s.Set("far", at(-3600))
	s.Set("near", at(-3600))
	return s
}

func TestBatch_WhileAPartOfTheStoreFails(t *testing.T) {
	for _, test := range []struct {
		contract, request, result string
		published                 string // after 2.5 s
		delivered                 time.Duration
	}{
		{"events of the other part are delivered", "far=now near=now", "near={2.5} next far=now near={2.5}",
			"near", 3 * time.Second},
		{"a precise request with a cursor misses nothing", "far={-3600.0}",
			"far={2.5} next far={2.5}", "far", 7 * time.Second},
		{"a precise request from now gets its cursor later", "far=now",
			"unchanged next far={-3600.0}", "", 20 * time.Second},
		{"a legacy request misses nothing", "far={-3600}", "far={2}", "far", 7 * time.Second},
		{"a legacy request without a change ends unchanged", "far={-3600}", "unchanged", "", 20 * time.Second},
	} {
		t.Run(test.contract, func(t *testing.T) {
			s := newParted()
			inBubble(t, s, limits, func(f *fixture) {
				if test.published != "" {
					after(2.5, func() { s.Set(test.published, at(2.5)) })
				}
				f.expect(0, test.request+" wait=20s pause=1s", test.result, test.delivered)
			})
		})
	}
}

func TestBatch_LogsTheFailureOfAPartAndItsEndOnce(t *testing.T) {
	s := newParted()
	inBubble(t, s, limits, func(f *fixture) {
		for i := range 19 { // The checks of these requests do not touch the far server.
			sent := time.Duration(i) * 777 * time.Millisecond
			f.expect(sent, "near=now wait=500ms", "unchanged next near={-3600.0}", sent+500*time.Millisecond)
		}
		f.expect(0, "far=now near=now wait=20s pause=1s", "unchanged next far={-3600.0} near={-3600.0}", 20*time.Second)
		f.running.Wait()
		lines := f.logged()
		if len(lines) != 2 ||
			!strings.Contains(lines[0], "the far server") || !strings.Contains(lines[1], "reachable again") {
			t.Errorf("logged %q; want the reason, and that the store is back", lines)
		}
	})
}
