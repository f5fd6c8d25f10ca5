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
	"novcomet/core/hub"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
)

// While the data cannot be read, a request keeps waiting. It is checked again after its pause. When its wait
// is over, it is answered unchanged, and the next request gets the event.
func TestData_KeepsRequestsWaitingWhileDataFails(t *testing.T) {
	const failed, again = "data cannot be read; polls that ask for it keep waiting", "data can be read again"
	for _, test := range []struct {
		contract, request, result string
		works, at                 float64
		logged                    []string
	}{
		{"until it works again", "a=0.0 data", `a={-5.0}"x" next a={-5.0}`, 2.5, 3, []string{failed, again}},
		{"for good", "a=0.0 data", "unchanged next a=0.000000", 3600, 10, []string{failed}},
		{"but not a request without data", "a=0.0", "a={-5.0} next a={-5.0}", 3600, 0, nil},
	} {
		t.Run(test.contract, func(t *testing.T) {
			s := coretest.NewMemory()
			inBubble(t, s, limits, func(f *fixture) {
				s.Set("a", at(-5))
				s.SetData("a", "x")
				s.FailData(errors.New("it burns"))
				after(test.works, func() { s.FailData(nil) })
				f.expect(0, test.request+" wait=10s pause=1s", test.result, at(test.at).Sub(coretest.Start))
				f.running.Wait()
				lines := f.logged()
				if !slices.EqualFunc(lines, test.logged, strings.Contains) {
					t.Errorf("logged %q, want %q", lines, test.logged)
				}
			})
		})
	}
	for contract, test := range map[string]struct{ drains, at float64 }{
		"and not in a drain": {2.5, 3.5},
		"and not in a drain that begins while the data is read": {0.5, 1},
	} {
		t.Run(contract, func(t *testing.T) {
			s := &slowData{Memory: coretest.NewMemory(), perByte: time.Second}
			inBubble(t, s, limits, func(f *fixture) {
				s.Set("a", at(-5))
				s.SetData("a", "x")
				s.FailData(errors.New("it burns"))
				after(test.drains, f.Drain)
				f.expect(0, "a=0.0 data wait=10s pause=5s", "unchanged next a=0.000000", at(test.at).Sub(coretest.Start))
			})
		})
	}
}

func TestData_IsLeftOutWithoutLimits(t *testing.T) {
	s := coretest.NewMemory()
	inBubble(t, s, hub.Limits{}, func(f *fixture) {
		s.Set("a", at(-5))
		s.SetData("a", "x")
		s.Set("b", at(-5))
		f.expect(0, "a=0.0 b=0.0 data", "a={-5.0} b={-5.0} next a={-5.0} b={-5.0}", 0)
	})
}

// The events that do not fit are delivered with the next request, at once. The least recently delivered go
// first.
func TestData_TruncatesAnAnswerThatIsFull(t *testing.T) {
	s := coretest.NewMemory()
	x := strings.Repeat("x", 40)
	for i, name := range []string{"c", "a", "b"} {
		s.Set(name, at(float64(i-10)))
		s.SetData(name, x)
	}
	has := func(name, stamp string) string { return name + "={" + stamp + `}"` + x + `" ` }
	full := hub.Limits{MaxData: 1000, MaxAnswerData: 100} // Each event has 42 bytes.
	inBubble(t, s, full, func(f *fixture) {
		f.expect(0, "a=0.0 b=now c=5 data wait=1s",
			has("a", "-9.0")+has("c", "-10.0")+"next a={-9.0} b={-8.0} c={-10.0}", 0)
		f.expect(0, "a=0.0 b=0.0 c=5 data", has("a", "-9.0")+has("b", "-8.0")+"next a={-9.0} b={-8.0} c=5", 0)
		f.expect(0, "a=0.0 b=0.0 c=5", "a={-9.0} b={-8.0} c={-10.0} next a={-9.0} b={-8.0} c={-10.0}", 0)
	})
	full.MaxAnswerData = 1 // One event always fits. A cursor in the future goes first.
	inBubble(t, s, full, func(f *fixture) {
		f.expect(0, "a=1.0 b=9999999999.0 c=5 data", has("b", "-8.0")+"next a=1.000000 b={-8.0} c=5", 0)
	})
}

// JSON may lose its white space, and each line of a stream begins with a field name. So the size depends on
// the form.
func TestData_CountsInTheFormOfTheRequest(t *testing.T) {
	s := coretest.NewMemory()
	for _, name := range []string{"a", "b"} {
		s.Set(name, at(-5))
		s.SetData(name, "[1\n\n\n]")
	}
	const lines = "[1\ndata: \ndata: \ndata: ]"
	inBubble(t, s, hub.Limits{MaxData: 1000, MaxAnswerData: 2*len(lines) - 1}, func(f *fixture) {
		f.expect(0, "a=0.0 b=0.0 data", "a={-5.0}[1] b={-5.0}[1] next a={-5.0} b={-5.0}", 0)
		f.expect(0, "a=0.0 b=0.0 lines", "a={-5.0}"+lines+" next a={-5.0} b=0.000000", 0)
		f.expect(0, "b=0.0 lines", "b={-5.0}"+lines+" next b={-5.0}", 0)
		f.expect(0, "b=1 lines", "b={-5}", 0)
	})
}

func TestData_StarvesNoEventOfAFullAnswer(t *testing.T) {
	s := coretest.NewMemory()
	busy := []string{"busy", "busier", "busiest"}
	for _, name := range append(busy, "rare") {
		s.SetData(name, "12345678")
	}
	inBubble(t, s, hub.Limits{MaxData: 10, MaxAnswerData: 10}, func(f *fixture) {
		f.running.Go(func() {
			for since() < 20*time.Second {
				time.Sleep(100 * time.Millisecond)
				for i, name := range busy {
					s.Set(name, time.Now().Add(time.Duration(i)*time.Microsecond))
				}
			}
		})
		after(2.05, func() { s.Set("rare", time.Now()) })
		delivered := map[string]int{}
		w := &waiting{result: make(chan *hub.Result, 1)}
		request := parse("busy=now busier=now busiest=now rare=now data pause=1s")
		for since() < 20*time.Second {
			f.Wait(&w.Waiter, request, w)
			result := <-w.result
			for _, e := range result.Changed {
				delivered[e.ID.String()]++
			}
			request.Subscriptions = result.Cursors
			time.Sleep(50 * time.Millisecond)
		}
		for _, name := range busy {
			if delivered[name] < 5 {
				t.Errorf("%s was delivered %d times", name, delivered[name])
			}
		}
		if delivered["rare"] != 1 {
			t.Errorf("the rare event was delivered %d times", delivered["rare"])
		}
	})
}

func TestData_ReadsLittleMoreThanAnAnswerHolds(t *testing.T) {
	s := coretest.NewMemory()
	inBubble(t, s, hub.Limits{MaxData: 10, MaxAnswerData: 20}, func(f *fixture) {
		request := "data"
		for i := range 1000 {
			name := fmt.Sprint("e", i)
			s.Set(name, at(-60))
			s.SetData(name, "12345678")
			request += " " + name + "=0.0"
		}
		result := <-f.wait(request).result
		if _, read := s.Counts(); len(result.Changed) != 2 || read > 16 { // four answers' worth
			t.Errorf("%d events were delivered and %d read, want 2 and at most 16", len(result.Changed), read)
		}
	})
}

// slowData is a store that needs time for each byte, or fails if too many are read at once.
type slowData struct {
	*coretest.Memory
	perByte time.Duration
	most    int // 0: any number
}

func (s *slowData) Data(ctx context.Context, ids []event.ID, limit int) ([]store.Content, error) {
	contents, err := s.Memory.Data(ctx, ids, limit)
	n := 0
	for _, c := range contents {
		n += len(c.Data)
	}
	time.Sleep(time.Duration(n) * s.perByte)
	if s.most > 0 && n > s.most {
		return nil, errors.New("too slow")
	}
	return contents, err
}

// More is published than can be read. The first to arrive is served first, so each request is answered in
// time.
func TestData_ServesTheFirstToArriveFirst(t *testing.T) {
	const clients, wait = 40, 4 * time.Second
	s := &slowData{Memory: coretest.NewMemory(), perByte: time.Microsecond}
	inBubble(t, s, hub.Limits{MaxData: 1000, MaxAnswerData: 1000}, func(f *fixture) {
		for i := range clients {
			name := fmt.Sprint("event", i)
			s.SetData(name, strings.Repeat("x", 990))
			f.running.Go(func() {
				for since() < 20*time.Second {
					s.Set(name, time.Now())
					time.Sleep(2 * time.Millisecond)
				}
			})
			f.running.Go(func() {
				for cursor := "now"; since() < 20*time.Second; time.Sleep(time.Millisecond) {
					sent := since()
					result := <-f.wait(name + "=" + cursor + " data pause=1s wait=" + wait.String()).result
					if waited := since() - sent; waited >= wait {
						t.Errorf("a request waited for %v, though its event was published all the time", waited)
					}
					cursor = result.Cursors[0].Cursor.String()
				}
			})
		}
	})
}

func TestData_DeliversWhatWasReadBeforeAFailure(t *testing.T) {
	s := &slowData{Memory: coretest.NewMemory(), most: 2000}
	request := "data"
	for i := range 50 {
		name := fmt.Sprint("event", i)
		s.Set(name, at(-60))
		s.SetData(name, strings.Repeat("x", 90))
		request += " " + name + "=0.0"
	}
	s.Set("huge", at(-60))
	s.SetData("huge", strings.Repeat("x", 3000))
	inBubble(t, s, hub.Limits{MaxData: 100, MaxAnswerData: 1000}, func(f *fixture) {
		if result := <-f.wait(request).result; len(result.Changed) != 10 || since() != 0 {
			t.Errorf("%d events after %v, want 10 at once", len(result.Changed), since())
		}
		f.SetLimits(hub.Limits{MaxData: 4000, MaxAnswerData: 1000})
		result := <-f.wait("event0=0.0 huge=5.0 data").result
		if len(result.Changed) != 1 || result.Changed[0].ID.String() != "event0" {
			t.Errorf("%s; want event0 alone, because the other one cannot be read", text(result))
		}
	})
}
