package core_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

// inParts is a memory of several servers, of which one can be gone: that of the ids that begin with "far".
type inParts struct {
	*memory
	gone bool
}

func (s *inParts) Stamps(ctx context.Context, ids []core.ID) (core.Snapshot, error) {
	snapshot, err := s.memory.Stamps(ctx, ids)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, id := range ids {
		if s.gone && strings.HasPrefix(id.String(), "far") {
			snapshot.Stamps[i] = core.Unknown
			snapshot.Missed = fmt.Errorf("%w: the far server", core.ErrUnavailable)
		}
	}
	return snapshot, err
}

func (s *inParts) isGone(gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = gone
}

// withAPartGone runs a test with such a store whose far part is gone until 6.5 s after the start.
func withAPartGone(t *testing.T, test func(t *testing.T, store *inParts, endpoint *core.Endpoint)) {
	synctest.Test(t, func(t *testing.T) {
		store := &inParts{memory: newMemory(), gone: true}
		store.set(t, "far", start.Add(-time.Hour))
		store.set(t, "near", start.Add(-time.Hour))
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 20, Sleep: time.Second})
		defer endpoint.Close()
		endpoint.Log = discard
		time.AfterFunc(6500*time.Millisecond, func() { store.isGone(false) })
		test(t, store, endpoint)
	})
}

func TestWhileAPartOfTheStoreIsGoneEventsOfTheOthersGoOn(t *testing.T) {
	withAPartGone(t, func(t *testing.T, store *inParts, endpoint *core.Endpoint) {
		time.AfterFunc(1500*time.Millisecond, func() { store.set(t, "near", time.Now()) })
		_, body := ask(t, endpoint, "subscribed[far]=now&subscribed[near]=now")
		want := `{"s":1,"k":{"near":946684801.500000},"at":{"far":"now","near":"946684801.500000"}}`
		if after := time.Since(start).Round(time.Millisecond); body != want || after != 2*time.Second {
			t.Errorf("%s after %v; want %s after 2s", body, after, want)
		}
	})
}

// What was published meanwhile is seen when that part is back, and what was not is not told of.
func TestWhenAPartOfTheStoreIsBackPollsSeeWhatTheyMissed(t *testing.T) {
	const old, new = "946681200.000000", "946684803.000000"
	for name, test := range map[string]struct {
		query     string
		published bool
		answer    string
	}{
		"a precise poll that knew it":              {"subscribed[far]=" + old, true, `{"s":1,"k":{"far":` + new + `},"at":{"far":"` + new + `"}}`},
		"a precise poll from now, which came then": {"subscribed[far]=now", false, `{"s":0,"at":{"far":"` + old + `"}}`},
		"a whole-second poll":                      {"subscribed[far]=946681200", true, `{"s":1,"k":{"far":946684803}}`},
		"a whole-second poll that knew it":         {"subscribed[far]=946681200", false, `{"s":0}`},
	} {
		t.Run(name, func(t *testing.T) {
			withAPartGone(t, func(t *testing.T, store *inParts, endpoint *core.Endpoint) {
				if test.published {
					time.AfterFunc(3*time.Second, func() { store.set(t, "far", time.Now()) })
				}
				_, body := ask(t, endpoint, test.query)
				want := 20 * time.Second
				if test.published {
					want = 7 * time.Second
				}
				if after := time.Since(start).Round(time.Second); body != test.answer || after != want {
					t.Errorf("%s after %v; want %s after %v", body, after, test.answer, want)
				}
			})
		})
	}
}

func TestThatAPartOfTheStoreIsGoneIsLoggedOnce(t *testing.T) {
	withAPartGone(t, func(t *testing.T, _ *inParts, endpoint *core.Endpoint) {
		log, lines := recorded()
		endpoint.Log = log
		for i := range 19 { // These are looked at when they come and go, and have nothing to do with the far part.
			time.AfterFunc(time.Duration(i)*777*time.Millisecond, func() { ask(t, endpoint, "subscribed[near]=now&wait=0.5") })
		}
		ask(t, endpoint, "subscribed[far]=now&subscribed[near]=now")
		got := lines()
		if len(got) != 2 || !strings.Contains(got[0], "the far server") || !strings.Contains(got[1], "reachable again") {
			t.Errorf("logged %q; want a line when it goes, which says what, and one when it is back", got)
		}
	})
}

// Where clocks differ, a stamp ahead of the store's may be that of a publication just now.
func TestAStampAheadByNoMoreThanPublishersClocksCountsAsUnseen(t *testing.T) {
	timing := core.Timing{Lag: lag, Lead: time.Second}
	deliver(t, []delivery{{
		contract: "by a precise poll from now",
		before:   map[string]time.Duration{"a": 900 * time.Millisecond}, query: "subscribed[a]=now", timing: timing,
		answer: `{"s":1,"k":{"a":{0.9}},"at":{"a":"{0.9}"}}`,
	}, {
		contract: "unless it is ahead by more",
		before:   map[string]time.Duration{"a": 1100 * time.Millisecond}, query: "subscribed[a]=now", timing: timing,
		answer: `{"s":0,"at":{"a":"{1.1}"}}`, after: 20 * time.Second,
	}, {
		contract: "by a whole-second poll, which is then held until nothing more can fall into that second",
		before:   map[string]time.Duration{"a": 1900 * time.Millisecond}, arrives: time.Second, query: "subscribed[a]={1}", timing: timing,
		answer: `{"s":1,"k":{"a":{1}}}`, after: time.Second + lag,
	}})
}
