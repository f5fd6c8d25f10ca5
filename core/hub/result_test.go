package hub_test

import (
	"encoding/json"
	"strings"
	"testing"

	"novcomet/core/event"
	"novcomet/core/hub"
	"novcomet/core/internal/coretest"
)

func TestResult_IsSharedByRequestsWithTheSameContent(t *testing.T) {
	s := coretest.NewMemory()
	inBubble(t, s, limits, func(f *fixture) {
		after(1.5, func() { // All requests wait, so the next check answers them together.
			s.Set("a", at(1.5))
			s.SetData("a", "x")
		})
		var requests []*waiting
		for _, request := range []string{
			"a={-9.0} data", "a={-8.0} data", // A changed event has the same next cursor.
			"a={-9.0} lines", "a={-8.0} lines",
			"a={-9}", "a={-8}",
			"a={-9.0}", "a={-9.0} b=0.0", "a={-9.0} b={-9.0}", "b=0.0 a={-9.0}",
		} {
			requests = append(requests, f.wait(request))
		}
		results := map[*hub.Result]bool{}
		var last *hub.Result
		for i, w := range requests {
			r := <-w.result
			if (i == 1 || i == 3 || i == 5) && r != last {
				t.Errorf("requests %d and %d got two results", i-1, i)
			}
			results[r], last = true, r
		}
		if len(results) != 7 {
			t.Errorf("%d results, want 7", len(results))
		}
	})
}

func TestResult_IsEncodedOnceInEachForm(t *testing.T) {
	r, calls := &hub.Result{}, 0
	encode := func(*hub.Result) []byte {
		calls++
		return []byte{byte(calls)}
	}
	for i := range 2 * hub.Forms {
		form := i % hub.Forms
		if got := r.Encoded(form, encode); len(got) != 1 || got[0] != byte(form)+1 {
			t.Errorf("form %d: %v", form, got)
		}
	}
	if calls != hub.Forms {
		t.Errorf("encoded %d times, want once in each form", calls)
	}
}

// What is larger than its size could be sent when there is no room for it, and be lost.
func TestResult_IsNotLongerThanItsSize(t *testing.T) {
	for _, name := range []string{"a", strings.Repeat("<", event.MaxID), strings.Repeat("\u2028", event.MaxID/3)} {
		id, err := event.ParseID(name)
		if err != nil {
			t.Fatal(err)
		}
		const stamp = 1<<53 - 1
		r := &hub.Result{
			Changed: []hub.Event{{id, stamp, []byte(`"xxx"`)}},
			Cursors: []event.Subscription{{ID: id, Cursor: event.At(stamp)}},
		}
		encoded, err := json.Marshal(map[string]any{
			"s": 1, "k": map[string]string{name: event.Stamp(stamp).String()},
			"d":  map[string]any{name: json.RawMessage(r.Changed[0].Data)},
			"at": map[string]string{name: r.Cursors[0].Cursor.String()},
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.Size() < len(encoded) {
			t.Errorf("the size is %d, want at least %d: %s", r.Size(), len(encoded), encoded)
		}
	}
}
