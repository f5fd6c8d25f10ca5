package core_test

import (
	"strconv"
	"time"

	"novcomet/core"
)

// These are the exceptions of the promise that core's documentation names, and nothing more.

// excused reports whether the publication, or a later one that took its place, is one that core says the subscriber can
// miss. previous is the client's poll before this one, nil where there is none.
func (p *playback) excused(c *client, previous, q *poll, index int) bool {
	event := p.publications[index].event
	for i := index; i < q.ended.publications; i++ {
		pub := p.publications[i]
		switch {
		case pub.event != event:
		case p.isTwin(i), p.clockWasSetBack(c, q, pub), p.setBackInTheLook(c, previous, q, pub), p.excusedByCursor(c, q, pub):
			return true
		case i >= q.asked.publications:
			if p.excusedWhileItWaited(c, q, pub) {
				return true
			}
		case p.excusedInPause(c, previous, q, pub):
			return true
		}
	}
	return false
}

// If the server's clock is set back, whole-second clients may miss what is not answered by then, and what is published
// until the second in which it was is over again.
func (p *playback) clockWasSetBack(c *client, q *poll, pub publication) bool {
	t, _ := strconv.ParseInt(q.sent[pub.event], 10, 64)
	for _, s := range p.setbacks {
		if !c.precise && t >= pub.stamp.Second() && !s.at.After(q.ended.at) && pub.at.Before(s.past) {
			return true
		}
	}
	return false
}

// If the server's clock is set back while a poll is looked at for the first time, what is published then, or gets the same stamp
// afterwards, is taken for old.
func (p *playback) setBackInTheLook(c *client, previous, q *poll, pub publication) bool {
	if !c.precise || previous == nil || q.sent[pub.event] != pub.stamp.String() {
		return false
	}
	for _, s := range p.setbacks {
		if !s.at.Before(previous.asked.at) && !s.at.After(p.firstLook(previous)) {
			return true
		}
	}
	return false
}

// Two changes that get the same stamp are one publication. That is only so where somebody set the file to the time of the
// second, or the clock comes by the same time twice: an answer waits until its stamps can't be given again. Where somebody
// renames another file over the event's, that has a stamp of a moment before, and what is done to it in the same tick gets no other.
func (p *playback) isTwin(index int) bool {
	pub := p.publications[index]
	for i, other := range p.publications[:index] {
		if other.event != pub.event || other.stamp != pub.stamp {
			continue
		}
		if other.stamp > other.clock.Add(unseen) || p.renamedBetween(i, index) {
			return true
		}
		for _, s := range p.setbacks {
			if !s.at.Before(other.at) && !s.at.After(pub.at) {
				return true
			}
		}
	}
	return false
}

func (p *playback) renamedBetween(from, to int) bool {
	for _, pub := range p.publications[from+1 : to+1] {
		if pub.renamed && pub.event == p.publications[to].event {
			return true
		}
	}
	return false
}

// A whole second in a precise poll asks for the events of that second and later, by their stamps.
func (p *playback) excusedByCursor(c *client, q *poll, pub publication) bool {
	sent := q.sent[pub.event]
	t, err := strconv.ParseInt(sent, 10, 64)
	return c.precise && err == nil && pub.stamp.Second() < t
}

// If the store is gone from the publication on until the answer goes, a whole-second client may never see what was
// published in the second that it sends back, or before. And what is found ahead of the clock counts as there before.
func (p *playback) excusedWhileItWaited(c *client, q *poll, pub publication) bool {
	sent := q.sent[pub.event]
	if sent == "now" {
		return p.foundAhead(q, pub)
	}
	if c.precise {
		return false
	}
	t, _ := strconv.ParseInt(sent, 10, 64)
	next := t
	if s, err := q.answer.K[pub.event].Int64(); err == nil {
		next = s
	}
	back, gone := p.goneBetween(pub.at, q.ended.at)
	return gone && back.After(q.ended.at) && next >= pub.stamp.Second() || t >= pub.stamp.Second() && p.foundAhead(q, pub)
}

// A whole-second client whose clock is ahead can miss a publication until its first answer: one in the pause between two
// polls, if in it the server's clock comes within 2 s of its T. So can any whose poll before this one was answered while the
// store was gone, if the publication is not after its T, and its T not one by which a recent publication is told. And a
// precise client without a cursor sees nothing: its first poll was broken off, or the store was gone.
func (p *playback) excusedInPause(c *client, previous, q *poll, pub publication) bool {
	const ahead = 2
	sent := q.sent[pub.event]
	if sent == "now" {
		return true
	}
	t, err := strconv.ParseInt(sent, 10, 64)
	if err != nil || c.precise || previous == nil || t < pub.stamp.Second() {
		return false
	}
	const recent, heldAhead = 5, 5
	if p.cutShort(previous, t) || pub.stamp.Second() > pub.clock.Second()+heldAhead {
		return true
	}
	clockLooksRight := core.Stamp(t-ahead)*inASec <= q.asked.clock.Add(p.slack())
	farAhead := t > previous.ended.clock.Add(-2*p.slow).Second()+heldAhead                          // so the answer was not held
	if t == pub.stamp.Second() && pub.stamp > pub.clock.Add(unseen) && (t == c.first || farAhead) { // set ahead to that very second
		return true
	}
	if farAhead && clockLooksRight { // after a pause that is longer than 3 s, with the look
		return true
	}
	tooOld := pub.stamp < q.asked.clock.Add(p.slack())-recent*inASec
	back, gone := p.goneBetween(pub.at, previous.ended.at)
	if gone && back.After(previous.ended.at) && (clockLooksRight || tooOld) { // The poll before this one saw nothing of it.
		return true
	}
	return t == c.first && t > previous.ended.clock.Add(-2*p.slow).Second()+ahead && clockLooksRight
}

// cutShort reports whether the answer could not be held until the second is over, for an answer is held for 8 s at the most:
// both the client's clock and a file's time must be ahead for that. By a process that is about to end it is held for 4 s.
func (p *playback) cutShort(q *poll, t int64) bool {
	const longest, atTheEnd = 8*time.Second - time.Millisecond, 4*time.Second - time.Millisecond
	held := p.anyAhead(q) && q.ended.at.Sub(q.asked.at) >= longest
	if q.drained() {
		held = held || q.ended.at.Sub(q.process.drained) >= atTheEnd
	}
	return held && q.ended.clock < (core.Stamp(t+1)*inASec).Add(p.Timing().Lag)
}

// foundAhead reports whether the stamp was ahead of the clock when the store was looked at for the poll for the first time:
// then it counts as one that was there before, whenever it came.
func (p *playback) foundAhead(q *poll, pub publication) bool {
	looked := p.firstLook(q)
	if pub.at.After(looked) {
		return false
	}
	for _, s := range p.setbacks {
		if !s.at.Before(q.asked.at) && !s.at.After(looked) {
			return true
		}
	}
	return pub.stamp > pub.clock
}

// drained reports whether the poll was answered by a process that was about to end.
func (q *poll) drained() bool {
	return !q.process.drained.IsZero() && !q.ended.at.Before(q.process.drained)
}
