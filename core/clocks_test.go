package core_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

// apart is a store that has no clock of its own: each machine goes by the one it has, and one that publishes is held up between
// reading it and storing the stamp.
type apart struct {
	*memory
	looks     time.Duration // how far the clock is ahead by which looks go
	publishes time.Duration // the same of the machine that publishes next
	late      time.Duration // how long that is held up
}

func (s *apart) Stamps(ctx context.Context, ids []core.ID) (core.Snapshot, error) {
	snapshot, err := s.memory.Stamps(ctx, ids)
	snapshot.Now = snapshot.Now.Add(s.looks)
	return snapshot, err
}

func (s *apart) Publish(_ context.Context, id core.ID) (core.Stamp, error) {
	read := core.StampOf(time.Now().Add(s.publishes))
	time.Sleep(s.late)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stamps[id] = max(s.stamps[id]+1, read)
	return s.stamps[id], nil
}

// TestClocksThatDifferWithinTheTimingLoseNothing lets machines whose clocks differ by up to a second publish an event some times, and
// asks whether its subscriber was told after the last time. The same histories with a Timing that knows nothing of it show
// that they are hard enough.
func TestClocksThatDifferWithinTheTimingLoseNothing(t *testing.T) {
	const skew, late, histories = time.Second, 200 * time.Millisecond, 1500
	for name, test := range map[string]struct {
		first   string // cursor of the subscriber, %d its clock's second
		timing  core.Timing
		skew    time.Duration
		mayMiss bool
	}{
		"whole-second":                 {"%d", core.Timing{Lag: skew + late, Lead: skew}, skew, false},
		"whole-second, timing ignored": {"%d", core.Timing{Lag: lag}, skew, true},
		"precise":                      {"0.000000", core.Timing{Lag: skew + late, Lead: skew}, skew, false},
		"precise, 10 s apart":          {"0.000000", core.Timing{Lag: skew + late, Lead: skew}, 10 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			missed := 0
			for seed := range uint64(histories) {
				if !toldOfTheLast(t, rand.New(rand.NewPCG(seed, 0)), test.first, test.timing, test.skew, late) {
					missed++
					if !test.mayMiss {
						t.Errorf("history %d: the last publication was missed", seed)
					}
				}
			}
			if test.mayMiss && missed == 0 {
				t.Error("nothing was missed, so these histories prove nothing")
			}
		})
	}
}

func toldOfTheLast(t *testing.T, random *rand.Rand, first string, timing core.Timing, skew, late time.Duration) (told bool) {
	upTo := func(d time.Duration) time.Duration { return time.Duration(random.Int64N(int64(d) + 1)) }
	synctest.Test(t, func(t *testing.T) {
		store := &apart{memory: newMemory(), looks: upTo(skew)}
		store.timing = timing
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 6, Sleep: 500 * time.Millisecond})
		defer endpoint.Close()
		time.Sleep(upTo(time.Second))
		if strings.Contains(first, "%") {
			first = fmt.Sprintf(first, time.Now().Add(min(upTo(skew), time.Second)).Unix())
		}

		over := make(chan struct{})
		var answered time.Time // with the event, last
		var seen string
		pause := upTo(1500 * time.Millisecond)
		go func() {
			defer close(over)
			const enough = 25 * time.Second
			for cursor := first; time.Since(start) < enough; time.Sleep(pause) {
				_, body := ask(t, endpoint, "subscribed[a]="+cursor)
				if !strings.HasPrefix(body, `{"s":1`) {
					continue
				}
				answered = time.Now()
				_, seen, _ = strings.Cut(body, `"k":{"a":`)
				seen, _, _ = strings.Cut(seen, "}")
				cursor = seen
			}
		}()
		time.Sleep(time.Millisecond) // The subscriber comes first; what was before, it has not asked for.
		var last core.Stamp
		for range 1 + random.IntN(4) {
			time.Sleep(upTo(2 * time.Second))
			store.publishes, store.late = upTo(skew), upTo(late)
			last, _ = store.Publish(t.Context(), mustID(t, "a"))
		}
		published := time.Now()
		<-over
		if strings.Contains(seen, ".") {
			told = seen == last.String()
		} else {
			told = seen == fmt.Sprint(last.Second()) && !answered.Before(published)
		}
	})
	return told
}
