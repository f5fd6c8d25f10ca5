package core_test

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"novcomet/core"
)

// history is what happens to one endpoint: who subscribes, what is published, and what goes wrong meanwhile. It is drawn
// outside of the bubble that it is played in. Times are from the bubble's start, which is a whole second of the kernel's
// clock.
type history struct {
	tick, phase time.Duration // of the kernel's coarse clock
	fine        bool
	slow        time.Duration // each look
	notifier    bool
	listens     time.Duration // after which delay
	maxWaiting  int
	streams     core.StreamLimits
	room        int                      // for the data of one answer, in bytes; 0: enough
	ages        map[string]time.Duration // of the events that there are at the start
	subscribers []subscriber
	steps       []happening
}

// subscriber is one client.
type subscriber struct {
	precise    bool
	clock      time.Duration // ahead of the server's, of a whole-second client
	longFirst  bool          // a precise client that does not begin with wait=0
	events     []string
	joins      time.Duration
	stays      time.Duration
	pauses     []time.Duration // between two polls, in turn
	patience   time.Duration   // after which a precise client breaks its poll off, and asks again; 0: none
	tries      int
	sleep      time.Duration
	data       bool     // it is to be told
	stream     *reading // nil: it polls
	wholeFirst bool     // a precise client whose first cursor of its first event is a second of the server's clock
}

// happening is one thing that happens to the store.
type happening struct {
	at      time.Duration
	what    string
	event   string
	by      time.Duration // how far, how long
	unheard bool          // the Notifier misses it

	data          string        // of a publication that has any
	begins, takes time.Duration // when a write begins to change the file, and how long it takes
}

// What may happen. A rewrite is two changes: a file is truncated, then written.
const (
	publishes  = "publish"
	touches    = "touch"
	rewrites   = "rewrite"
	posts      = "publish data"
	renames    = "rename"
	setsAhead  = "touch -d"
	setsBack   = "the clock is set back"
	goes       = "the store goes"
	comesBack  = "the store is back"
	closes     = "the store's data goes"
	opens      = "the store's data is back"
	goesDeaf   = "the notifier fails"
	restarts   = "another process takes over"
	longestOff = 12 * time.Second // until the last thing happens
)

// histories draws one. Most of the times are near those that the rules speak of: the ends of seconds, a subscriber's
// arrival, and other publications.
var histories = rapid.Custom(func(t *rapid.T) *history {
	return drawHistory(t, drawSubscriber, touches, touches, publishes, publishes, rewrites)
})

func drawHistory(t *rapid.T, draw func(*rapid.T, []string) subscriber, means ...string) *history {
	h := &history{
		tick:       pick(t, 4*time.Millisecond, 4*time.Millisecond, 4*time.Millisecond, time.Millisecond, 10*time.Millisecond),
		phase:      pick(t, 0, time.Millisecond, 2500*time.Microsecond),
		fine:       pick(t, false, false, true),
		slow:       pick(t, 0, 0, 0, time.Millisecond, 40*time.Millisecond),
		notifier:   pick(t, false, true),
		listens:    pick(t, 0, 0, 300*time.Millisecond, 3*time.Second),
		maxWaiting: pick(t, 0, 0, 0, 0, 0, 1),
		ages:       map[string]time.Duration{},
	}
	names := []string{"a", "b", "c"}[:pick(t, 1, 2, 3)]
	for _, name := range names {
		if age := pick(t, 0, time.Hour, 4*time.Second, 900*time.Millisecond, 3*time.Millisecond); age > 0 {
			h.ages[name] = age
		}
	}
	for range pick(t, 1, 1, 2, 3) {
		h.subscribers = append(h.subscribers, draw(t, names))
	}
	h.steps = drawPublications(t, h, names, means)
	h.steps = append(h.steps, drawTrouble(t, h)...)
	slices.SortStableFunc(h.steps, func(a, b happening) int { return int(a.at - b.at) })
	return h
}

func pick[T any](t *rapid.T, from ...T) T { return rapid.SampledFrom(from).Draw(t, "") }

func drawSubscriber(t *rapid.T, names []string) subscriber {
	s := subscriber{
		precise: pick(t, false, true),
		events:  rapid.Permutation(names).Draw(t, "")[:rapid.IntRange(1, len(names)).Draw(t, "")],
		joins:   drawMoment(t, 4*time.Second),
		stays:   pick(t, time.Hour, time.Hour, time.Hour, 5*time.Second, 900*time.Millisecond),
		tries:   pick(t, 3, 20, 1, 0),
		sleep:   pick(t, 2*time.Second, 300*time.Millisecond, 700*time.Millisecond, 5*time.Second, 20*time.Second),
	}
	for range pick(t, 1, 2, 3) {
		s.pauses = append(s.pauses, pick(t, time.Second, 0, 3*time.Second, 7*time.Millisecond, 2500*time.Millisecond))
	}
	if s.precise {
		s.longFirst = pick(t, false, true)
		s.wholeFirst = pick(t, false, false, true)
		s.patience = pick(t, 0, 0, 0, 1300*time.Millisecond)
		return s
	}
	s.clock = pick(t, 0, 0, 500*time.Millisecond, -700*time.Millisecond, 1500*time.Millisecond, 2700*time.Millisecond, 4*time.Second,
		8*time.Second, 10*time.Minute, -10*time.Minute)
	return s
}

// drawMoment draws any time before the limit.
func drawMoment(t *rapid.T, limit time.Duration) time.Duration {
	second := time.Duration(rapid.IntRange(0, int(limit/time.Second)-1).Draw(t, "")) * time.Second
	if pick(t, true, false) {
		return second + pick(t, time.Duration(0), 1, 3, 7, 15, 19, 25, 985, 997, 999)*time.Millisecond
	}
	return second + time.Duration(rapid.IntRange(0, 9999).Draw(t, ""))*100*time.Microsecond
}

func drawPublications(t *rapid.T, h *history, names, means []string) (steps []happening) {
	var last time.Duration
	for i := range rapid.IntRange(1, 12).Draw(t, "") {
		step := happening{
			what:    pick(t, means...),
			event:   pick(t, names...),
			unheard: pick(t, false, false, true),
		}
		switch pick(t, "soon", "soon", "any", "arrival") {
		case "soon":
			step.at = last + pick(t, time.Millisecond, 0, time.Microsecond, 200*time.Microsecond, 3*time.Millisecond,
				5*time.Millisecond, 8*time.Millisecond, 40*time.Millisecond, 300*time.Millisecond, 990*time.Millisecond, 1500*time.Millisecond)
		case "arrival":
			arrival := h.subscribers[rapid.IntRange(0, len(h.subscribers)-1).Draw(t, "")].joins
			step.at = arrival + pick(t, time.Duration(1), 3, 9, 13, 25, 300)*time.Millisecond
		default:
			step.at = drawMoment(t, longestOff)
		}
		last = step.at
		switch step.what {
		case rewrites:
			step.by = pick(t, 0, 30*time.Microsecond, 700*time.Microsecond)
			step.begins, step.takes = pick(t, 0, 20*time.Microsecond, 5*time.Millisecond), pick(t, 0, 20*time.Microsecond, 500*time.Microsecond)
			step.data = fmt.Sprintf("write %d, all of write %d", i, i)
		case renames:
			step.by = pick(t, 0, 30*time.Microsecond, 4*time.Millisecond)
			step.data = fmt.Sprintf("file %d", i)
		case posts:
			step.data = fmt.Sprintf(`{"post":%d}`, i)
		}
		steps = append(steps, step)
	}
	if pick(t, false, false, false, true) {
		for range pick(t, 1, 2) {
			i := rapid.IntRange(0, len(steps)-1).Draw(t, "")
			steps[i].what = setsAhead
			if pick(t, false, true) { // while a client may still go by its own clock
				steps[i].at = h.subscribers[rapid.IntRange(0, len(h.subscribers)-1).Draw(t, "")].joins + pick(t, 25*time.Millisecond, 400*time.Millisecond)
			}
			steps[i].by = pick(t, 1500*time.Millisecond, 3500*time.Millisecond, 4500*time.Millisecond, 50*time.Millisecond, 700*time.Millisecond,
				2500*time.Millisecond, 5500*time.Millisecond, 7500*time.Millisecond, 8400*time.Millisecond, 9*time.Second, time.Hour)
			if pick(t, false, true) { // before that time comes
				before := pick(t, time.Second, 2300*time.Millisecond, 3300*time.Millisecond, 4200*time.Millisecond)
				after := min(max(steps[i].by-before, 300*time.Millisecond), longestOff)
				steps = append(steps, happening{at: steps[i].at + after, what: touches, event: steps[i].event})
			}
		}
	}
	return steps
}

// drawTrouble draws what goes wrong: nothing, mostly. The clock is not set back in histories in which the store goes: while
// it is gone, the loop goes by its machine's clock, which for files is the same, but in a bubble can't be set back.
func drawTrouble(t *rapid.T, h *history) (steps []happening) {
	moment := func() time.Duration {
		if pick(t, false, true) {
			return drawMoment(t, longestOff)
		}
		// While an answer is held, or in the pause after it.
		publication := h.steps[rapid.IntRange(0, len(h.steps)-1).Draw(t, "")]
		return publication.at + pick(t, 3*time.Millisecond, 300*time.Millisecond)
	}
	switch pick(t, "", "", "", goes, setsBack) {
	case setsBack:
		for range pick(t, 1, 2) {
			back := happening{at: moment(), what: setsBack, by: pick(t, time.Second, time.Microsecond, 4*time.Millisecond,
				100*time.Millisecond, 2500*time.Millisecond, 7*time.Second, time.Hour)}
			if h.slow > 0 && pick(t, false, true) { // During a check, after it has read the clock, and a publication in the same check.
				check := h.subscribers[rapid.IntRange(0, len(h.subscribers)-1).Draw(t, "")].joins
				back.at = check + h.slow*5/8
				event := h.steps[0].event
				steps = append(steps, happening{at: check + h.slow*7/8, what: touches, event: event},
					happening{at: check + h.slow + pick(t, time.Microsecond, 2*time.Millisecond), what: touches, event: event})
			}
			steps = append(steps, back)
		}
	case goes:
		at := moment()
		length := pick(t, 3*time.Second, time.Millisecond, 400*time.Millisecond, 8*time.Second)
		steps = append(steps, happening{at: at, what: goes}, happening{at: at + length, what: comesBack})
	}
	if pick(t, false, false, false, false, false, true) {
		steps = append(steps, happening{at: drawMoment(t, longestOff), what: restarts})
	}
	if h.notifier && pick(t, false, false, false, true) {
		steps = append(steps, happening{at: drawMoment(t, longestOff), what: goesDeaf})
	}
	return steps
}

// end is when everybody has been answered or never will be.
func (h *history) end() time.Duration {
	const pauseAndHold, heldAnew = 12 * time.Second, 8 * time.Second
	end := time.Duration(0)
	for _, s := range h.subscribers {
		end = max(end, s.sleep)
	}
	for _, step := range h.steps {
		if step.what == setsBack {
			end += heldAnew
		}
	}
	last := h.steps[len(h.steps)-1]
	return end + last.at + pauseAndHold
}
