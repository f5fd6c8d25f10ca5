package hub_test

import (
	"testing"

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

func TestResult_IsEncodedOnceInEachEncoding(t *testing.T) {
	r, calls := &hub.Result{}, 0
	encode := func(*hub.Result) []byte {
		calls++
		return []byte{byte(calls)}
	}
	for i := range 2 * hub.Encodings {
		encoding := i % hub.Encodings
		if got := r.Encoded(encoding, encode); len(got) != 1 || got[0] != byte(encoding)+1 {
			t.Errorf("encoding %d: %v", encoding, got)
		}
	}
	if calls != hub.Encodings {
		t.Errorf("encoded %d times, want once in each encoding", calls)
	}
}
