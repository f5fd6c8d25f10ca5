package sim

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"
)

// lastStep limits the times that are drawn for steps.
const lastStep = 12 * time.Second

// Polls draws histories of clients that poll. Most of its times are near those that the delivery rules are
// about: the ends of seconds, the arrival of a client, and other publications.
func Polls() *rapid.Generator[*History] {
	return rapid.Custom(func(t *rapid.T) *History {
		return drawHistory(t, drawPollClient, touch, touch, publish, publish, rewrite)
	})
}

// StreamsAndData draws histories of clients that read streams, or ask for data.
func StreamsAndData() *rapid.Generator[*History] {
	return rapid.Custom(func(t *rapid.T) *History {
		h := drawHistory(t, drawStreamClient,
			touch, publish, publishData, publishData, rename, rewrite, rewrite, rewrite)
		h.maxStreams = pick(t, 0, 0, 0, 0, 1)
		h.streamComment = pick(t, 20*time.Second, 3*time.Second, 900*time.Millisecond)
		h.streamEnd = pick(t, 10*time.Minute, 10*time.Minute, 4*time.Second, 1500*time.Millisecond)
		h.maxAnswerData = pick(t, 0, 0, 0, 1)
		if pick(t, false, false, false, true) {
			at := drawTime(t, lastStep)
			if pick(t, false, true) { // when the data of a publication is read
				at = h.drawStep(t).at
			}
			lasts := pick(t, 30*time.Millisecond, 400*time.Millisecond, 3*time.Second)
			h.steps = append(h.steps, step{at: at, action: failData}, step{at: at + lasts, action: repairData})
		}
		h.sortSteps()
		return h
	})
}

func drawHistory(t *rapid.T, drawClient func(*rapid.T, []string) profile, publications ...string) *History {
	h := &History{
		tick: pick(t, 4*time.Millisecond, 4*time.Millisecond, 4*time.Millisecond,
			time.Millisecond, 10*time.Millisecond),
		phase:      pick(t, 0, time.Millisecond, 2500*time.Microsecond),
		fine:       pick(t, false, false, true),
		latency:    pick(t, 0, 0, 0, time.Millisecond, 40*time.Millisecond),
		watch:      pick(t, false, true),
		watchDelay: pick(t, 0, 0, 300*time.Millisecond, 3*time.Second),
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
		h.clients = append(h.clients, drawClient(t, names))
	}
	h.drawPublications(t, names, publications)
	h.drawFaults(t)
	h.sortSteps()
	return h
}

func (h *History) sortSteps() {
	slices.SortStableFunc(h.steps, func(a, b step) int { return int(a.at - b.at) })
}

func pick[T any](t *rapid.T, from ...T) T { return rapid.SampledFrom(from).Draw(t, "") }

func (h *History) drawClient(t *rapid.T) profile {
	return h.clients[rapid.IntRange(0, len(h.clients)-1).Draw(t, "")]
}

func (h *History) drawStep(t *rapid.T) *step {
	return &h.steps[rapid.IntRange(0, len(h.steps)-1).Draw(t, "")]
}

// drawTime draws a time before the limit.
func drawTime(t *rapid.T, limit time.Duration) time.Duration {
	second := time.Duration(rapid.IntRange(0, int(limit/time.Second)-1).Draw(t, "")) * time.Second
	if pick(t, true, false) {
		return second + pick(t, time.Duration(0), 1, 3, 7, 15, 19, 25, 985, 997, 999)*time.Millisecond
	}
	return second + time.Duration(rapid.IntRange(0, 9999).Draw(t, ""))*100*time.Microsecond
}

func drawPollClient(t *rapid.T, names []string) profile {
	c := profile{
		precise: pick(t, false, true),
		events:  rapid.Permutation(names).Draw(t, "")[:rapid.IntRange(1, len(names)).Draw(t, "")],
		joins:   drawTime(t, 4*time.Second),
		stays:   pick(t, time.Hour, time.Hour, time.Hour, 5*time.Second, 900*time.Millisecond),
		tries:   pick(t, 3, 20, 1, 0),
		sleep:   pick(t, 2*time.Second, 300*time.Millisecond, 700*time.Millisecond, 5*time.Second, 20*time.Second),
	}
	for range pick(t, 1, 2, 3) {
		c.pauses = append(c.pauses,
			pick(t, time.Second, 0, 3*time.Second, 7*time.Millisecond, 2500*time.Millisecond))
	}
	if c.precise {
		c.waitsAtFirst = pick(t, false, true)
		c.legacyFirst = pick(t, false, false, true)
		c.patience = pick(t, 0, 0, 0, 1300*time.Millisecond)
		return c
	}
	c.clock = pick(t, 0, 0, 500*time.Millisecond, -700*time.Millisecond, 1500*time.Millisecond, 2700*time.Millisecond,
		4*time.Second, 8*time.Second, 10*time.Minute, -10*time.Minute)
	return c
}

func drawStreamClient(t *rapid.T, names []string) profile {
	c := drawPollClient(t, names)
	if !c.precise {
		c.precise, c.clock, c.legacyFirst = true, 0, pick(t, false, false, true)
	}
	c.data = pick(t, true, true, false)
	if pick(t, true, true, false) {
		c.waitsAtFirst, c.patience = false, 0
		c.pauses = []time.Duration{pick(t, time.Second, 1300*time.Millisecond, 3*time.Second)}
		c.stream = &streamProfile{
			slow:    pick(t, 0, 0, 300*time.Millisecond, 7*time.Millisecond, 2*time.Second),
			cut:     pick(t, 0, 0, 90, 130, 1000),
			noticed: pick(t, 0, 40*time.Millisecond, 5*time.Second),
			inQuery: pick(t, false, false, true),
			spoils:  pick(t, 0, 0, 0, 1, 2),
		}
		for range pick(t, 1, 2, 3) {
			c.stream.breaks = append(c.stream.breaks, pick(t, 0, 0, 1, 2, 5))
		}
	}
	return c
}

func (h *History) drawPublications(t *rapid.T, names, actions []string) {
	var last time.Duration
	for i := range rapid.IntRange(1, 12).Draw(t, "") {
		s := step{
			action:    pick(t, actions...),
			event:     pick(t, names...),
			unnoticed: pick(t, false, false, true),
		}
		switch pick(t, "soon", "soon", "any", "arrival") {
		case "soon":
			s.at = last + pick(t, time.Millisecond, 0, time.Microsecond, 200*time.Microsecond, 3*time.Millisecond,
				5*time.Millisecond, 8*time.Millisecond, 40*time.Millisecond, 300*time.Millisecond, 990*time.Millisecond,
				1500*time.Millisecond)
		case "arrival":
			s.at = h.drawClient(t).joins + pick(t, time.Duration(1), 3, 9, 13, 25, 300)*time.Millisecond
		default:
			s.at = drawTime(t, lastStep)
		}
		last = s.at
		switch s.action {
		case rewrite:
			s.by = pick(t, 0, 30*time.Microsecond, 700*time.Microsecond)
			s.begins = pick(t, 0, 20*time.Microsecond, 5*time.Millisecond)
			s.takes = pick(t, 0, 20*time.Microsecond, 500*time.Microsecond)
			s.data = fmt.Sprintf("write %d, all of write %d", i, i)
		case rename:
			s.by = pick(t, 0, 30*time.Microsecond, 4*time.Millisecond)
			s.data = fmt.Sprintf("file %d", i)
		case publishData:
			s.data = fmt.Sprintf(`{"post":%d}`, i)
		}
		h.steps = append(h.steps, s)
	}
	if pick(t, false, false, false, true) {
		h.drawStampsAhead(t)
	}
}

// drawStampsAhead makes publications set a stamp in the future.
func (h *History) drawStampsAhead(t *rapid.T) {
	for range pick(t, 1, 2) {
		s := h.drawStep(t)
		s.action = touchAhead
		if pick(t, false, true) { // while a client may still send a T of its own clock
			s.at = h.drawClient(t).joins + pick(t, 25*time.Millisecond, 400*time.Millisecond)
		}
		s.by = pick(t, 1500*time.Millisecond, 3500*time.Millisecond, 4500*time.Millisecond, 50*time.Millisecond,
			700*time.Millisecond, 2500*time.Millisecond, 5500*time.Millisecond, 7500*time.Millisecond,
			8400*time.Millisecond, 9*time.Second, time.Hour)
		if pick(t, false, true) { // The event is published before that time.
			before := pick(t, time.Second, 2300*time.Millisecond, 3300*time.Millisecond, 4200*time.Millisecond)
			after := min(max(s.by-before, 300*time.Millisecond), lastStep)
			h.steps = append(h.steps, step{at: s.at + after, action: touch, event: s.event})
		}
	}
}

// drawFaults draws what goes wrong; mostly nothing. The clock is not set back if the store fails. Without the
// store, the hub uses the clock of its machine. With files, both are the same clock; in a bubble, that clock
// cannot be set back.
func (h *History) drawFaults(t *rapid.T) {
	var faults []step
	drawFaultTime := func() time.Duration {
		if pick(t, false, true) {
			return drawTime(t, lastStep)
		}
		// While an answer is held, or in the pause after it.
		return h.drawStep(t).at + pick(t, 3*time.Millisecond, 300*time.Millisecond)
	}
	switch pick(t, "", "", "", failStore, setClockBack) {
	case setClockBack:
		for range pick(t, 1, 2) {
			s := step{at: drawFaultTime(), action: setClockBack, by: pick(t, time.Second, time.Microsecond,
				4*time.Millisecond, 100*time.Millisecond, 2500*time.Millisecond, 7*time.Second, time.Hour)}
			if h.latency > 0 && pick(t, false, true) { // during a check that has read the clock, with a publication
				check := h.drawClient(t).joins
				s.at = check + h.latency*5/8
				name := h.steps[0].event
				end := check + h.latency + pick(t, time.Microsecond, 2*time.Millisecond)
				faults = append(faults, step{at: check + h.latency*7/8, action: touch, event: name},
					step{at: end, action: touch, event: name})
			}
			faults = append(faults, s)
		}
	case failStore:
		at := drawFaultTime()
		lasts := pick(t, 3*time.Second, time.Millisecond, 400*time.Millisecond, 8*time.Second)
		faults = append(faults, step{at: at, action: failStore}, step{at: at + lasts, action: repairStore})
	}
	if pick(t, false, false, false, false, false, true) {
		faults = append(faults, step{at: drawTime(t, lastStep), action: restart})
	}
	if h.watch && pick(t, false, false, false, true) {
		faults = append(faults, step{at: drawTime(t, lastStep), action: failWatch})
	}
	h.steps = append(h.steps, faults...)
}
