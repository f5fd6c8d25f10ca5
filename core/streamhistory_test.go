package core_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"novcomet/core"
)

// historiesOfStreams draws one whose subscribers read streams, or ask for data.
var historiesOfStreams = rapid.Custom(func(t *rapid.T) *history {
	h := drawHistory(t, drawReader, touches, publishes, posts, posts, renames, rewrites, rewrites, rewrites)
	h.streams = core.StreamLimits{
		Max:     pick(t, 0, 0, 0, 0, 1),
		Comment: pick(t, 20*time.Second, 3*time.Second, 900*time.Millisecond),
		End:     pick(t, 10*time.Minute, 10*time.Minute, 4*time.Second, 1500*time.Millisecond),
	}
	h.room = pick(t, 0, 0, 0, 1)
	if pick(t, false, false, false, true) {
		at := drawMoment(t, longestOff)
		if pick(t, false, true) { // when the data of a publication is to be read
			at = h.steps[rapid.IntRange(0, len(h.steps)-1).Draw(t, "")].at
		}
		h.steps = append(h.steps, happening{at: at, what: closes},
			happening{at: at + pick(t, 30*time.Millisecond, 400*time.Millisecond, 3*time.Second), what: opens})
	}
	slices.SortStableFunc(h.steps, func(a, b happening) int { return int(a.at - b.at) })
	return h
})

func drawReader(t *rapid.T, names []string) subscriber {
	s := drawSubscriber(t, names)
	if !s.precise {
		s.precise, s.clock, s.wholeFirst = true, 0, pick(t, false, false, true)
	}
	s.data = pick(t, true, true, false)
	if pick(t, true, true, false) {
		s.longFirst, s.patience = false, 0
		s.pauses = []time.Duration{pick(t, time.Second, 1300*time.Millisecond, 3*time.Second)}
		s.stream = &reading{
			slow:    pick(t, 0, 0, 300*time.Millisecond, 7*time.Millisecond, 2*time.Second),
			cut:     pick(t, 0, 0, 90, 130, 1000),
			noticed: pick(t, 0, 40*time.Millisecond, 5*time.Second),
			inQuery: pick(t, false, false, true),
			spoils:  pick(t, 0, 0, 0, 1, 2),
		}
		for range pick(t, 1, 2, 3) {
			s.stream.breaks = append(s.stream.breaks, pick(t, 0, 0, 1, 2, 5))
		}
	}
	return s
}

func newPut(event, data string) *http.Request {
	return httptest.NewRequest(http.MethodPut, "/comet.php?publish="+event, strings.NewReader(data))
}
