package sim

import (
	"strconv"
	"time"

	"novcomet/core/event"
)

// mayMiss reports whether the client may miss the publication, or a later one of the same event before the
// poll ended, by an exception of the promise. The poll is the first one that ended after the publication.
// previous is the client's poll before it, or nil.
func (r *Record) mayMiss(c *client, previous, p *poll, index int) bool {
	name := r.publications[index].event
	for i := index; i < p.ended.publications; i++ {
		pub := r.publications[i]
		switch {
		case pub.event != name:
		case r.repeatsStamp(i), isBeforeCursor(c, p, pub),
			r.clockWasSetBack(c, p, pub), r.setBackInFirstCheck(c, previous, p, pub):
			return true
		case i >= p.began.publications:
			if r.mayMissWhileWaiting(c, p, pub) {
				return true
			}
		case r.mayMissInPause(c, previous, p, pub):
			return true
		}
	}
	return false
}

// If the server's clock is set back, a legacy client may miss what has not been answered by then, and what is
// published until that second has ended again.
func (r *Record) clockWasSetBack(c *client, p *poll, pub publication) bool {
	t, _ := strconv.ParseInt(p.cursors[pub.event], 10, 64)
	for _, s := range r.setbacks {
		if !c.precise && t >= pub.stamp.Second() && !s.at.After(p.ended.at) && pub.at.Before(s.over) {
			return true
		}
	}
	return false
}

// If the server's clock is set back during the first check of a poll, what is published then counts as old,
// and so does what gets the same stamp afterwards.
func (r *Record) setBackInFirstCheck(c *client, previous, p *poll, pub publication) bool {
	if !c.precise || previous == nil || p.cursors[pub.event] != pub.stamp.String() {
		return false
	}
	for _, s := range r.setbacks {
		if s.isBetween(previous.began.at, r.firstCheck(previous)) {
			return true
		}
	}
	return false
}

// Two changes with the same stamp are one publication. An answer is held until no later change can get its
// stamps. So the same stamp is given again only if another program set it ahead of the clock, if the clock
// was set back, or after another program has renamed a file over the event's: that file has a slightly older
// stamp, and a change in the same tick repeats it.
func (r *Record) repeatsStamp(index int) bool {
	pub := r.publications[index]
	for i, other := range r.publications[:index] {
		if other.event != pub.event || other.stamp != pub.stamp {
			continue
		}
		if other.stamp > other.clock.Add(unseen) || r.wasRenamed(pub.event, i+1, index) {
			return true
		}
		for _, s := range r.setbacks {
			if s.isBetween(other.at, pub.at) {
				return true
			}
		}
	}
	return false
}

func (r *Record) wasRenamed(name string, first, last int) bool {
	for _, pub := range r.publications[first : last+1] {
		if pub.renamed && pub.event == name {
			return true
		}
	}
	return false
}

// A legacy cursor in a precise poll asks for stamps of its second and later.
func isBeforeCursor(c *client, p *poll, pub publication) bool {
	t, err := strconv.ParseInt(p.cursors[pub.event], 10, 64)
	return c.precise && err == nil && pub.stamp.Second() < t
}

// If the store fails from the publication until the answer, a legacy client may miss what was published in
// the second that it sends back, or before. A stamp that is ahead of the clock at the first check counts as
// old.
func (r *Record) mayMissWhileWaiting(c *client, p *poll, pub publication) bool {
	cursor := p.cursors[pub.event]
	if cursor == "now" {
		return r.wasFoundAhead(p, pub)
	}
	if c.precise {
		return false
	}
	t, _ := strconv.ParseInt(cursor, 10, 64)
	next := t
	if stamp, err := p.answer.K[pub.event].Int64(); err == nil {
		next = stamp
	}
	back, failed := r.storeFailed(pub.at, p.ended.at)
	return failed && back.After(p.ended.at) && next >= pub.stamp.Second() ||
		t >= pub.stamp.Second() && r.wasFoundAhead(p, pub)
}

// A precise client without a cursor has missed the publication: its first poll was aborted, or the store
// failed. A legacy client can miss a publication between two polls
//   - if its answer could not be held until its T had ended;
//   - if the stamp was set more than 5 s ahead;
//   - if the stamp was set ahead into the second of a T that is the client's own or far ahead;
//   - if its T was its own or far ahead, so that the answer was not held, and the server's clock comes within
//     2 s of that T;
//   - if the store failed from the publication until the answer of the poll before, and the T does not look
//     wrong or the publication is not recent any more.
func (r *Record) mayMissInPause(c *client, previous, p *poll, pub publication) bool {
	const clientAhead, stampAhead, recent = 2, 5, 5 * time.Second
	cursor := p.cursors[pub.event]
	if cursor == "now" {
		return true
	}
	t, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || c.precise || previous == nil || t < pub.stamp.Second() {
		return false
	}
	if r.holdWasCutShort(previous, t) || pub.stamp.Second() > pub.clock.Second()+stampAhead {
		return true
	}
	checked := p.began.clock.Add(r.slack())
	looksRight := event.Stamp(t-clientAhead)*event.Second <= checked
	answered := previous.ended.clock.Add(-2 * r.latency).Second()
	farAhead := t > answered+stampAhead
	setInto := t == pub.stamp.Second() && pub.stamp > pub.clock.Add(unseen)
	back, failed := r.storeFailed(pub.at, previous.ended.at)
	tooOld := pub.stamp < checked.Add(-recent)
	return setInto && (t == c.first || farAhead) ||
		farAhead && looksRight ||
		failed && back.After(previous.ended.at) && (looksRight || tooOld) ||
		t == c.first && t > answered+clientAhead && looksRight
}

// holdWasCutShort reports whether the answer was held for as long as possible, but not until the second t had
// ended. That is 8 s, which is too short only if a stamp is ahead, too. A process that drains holds an answer
// for 4 s.
func (r *Record) holdWasCutShort(p *poll, t int64) bool {
	const longest, inDrain = 8*time.Second - time.Millisecond, 4*time.Second - time.Millisecond
	held := r.hadStampAhead(p) && p.ended.at.Sub(p.began.at) >= longest ||
		p.endedAfterDrain() && p.ended.at.Sub(p.process.drained) >= inDrain
	return held && p.ended.clock < r.endOfSecond(t)
}

// wasFoundAhead reports whether the stamp was ahead of the clock at the first check of the poll. Then it
// counts as older than the poll.
func (r *Record) wasFoundAhead(p *poll, pub publication) bool {
	checked := r.firstCheck(p)
	if pub.at.After(checked) {
		return false
	}
	for _, s := range r.setbacks {
		if s.isBetween(p.began.at, checked) {
			return true
		}
	}
	return pub.stamp > pub.clock
}
