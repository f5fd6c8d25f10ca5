package core

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// poll is one request of a subscriber while it waits: it knows when it is to be answered, and with what. It has no
// clock of its own; whoever looks at the store tells it the time.
type poll struct {
	watches []watch
	precise bool
	data    bool // to be told what the events carry
	streams bool // a part of a stream
	timing  Timing

	looked  bool          // the store has been looked at, so what follows is known:
	arrival Stamp         // when the poll came, by the store's clock
	took    time.Duration // the last look
	ready   Stamp         // when it first could have been answered
	heldTo  Stamp         // not to be answered before, once it is ready; 0: not held
}

// watch is one event of a poll.
type watch struct {
	Subscription
	link
	found  Stamp // on arrival; Unknown: the event has not been looked at so far
	answer Stamp // what the event will be answered with; 0: it has not changed so far
}

func newPoll(query Query, timing Timing) *poll {
	p := &poll{watches: make([]watch, len(query.Subscriptions)), precise: query.Precise(), streams: query.streams, timing: timing}
	if p.data = query.Data && p.precise; p.data {
		p.timing.Settle = max(timing.Settle, timing.Write)
	}
	for i, s := range query.Subscriptions {
		p.watches[i].Subscription, p.watches[i].found = s, Unknown
	}
	return p
}

// look takes in what the loop saw of the poll's events, at the time now of the store; waited is for how long the poll had
// waited by then, took how long the look took.
func (p *poll) look(now Stamp, waited, took time.Duration) {
	p.took = took
	if !p.looked {
		p.looked, p.arrival = true, now.Add(-waited)
	}
	for i := range p.watches {
		w := &p.watches[i]
		if !w.event.known {
			continue
		}
		stamp := w.event.stamp
		if w.found == Unknown {
			w.found = p.foundOnArrival(stamp, now)
		}
		if stamp != 0 && p.concerns(w, stamp) && p.inTime(stamp, now) {
			w.answer = stamp
		}
	}
}

// foundOnArrival returns the stamp if it surely was there when the poll came, and 0 otherwise.
func (p *poll) foundOnArrival(stamp, now Stamp) Stamp {
	if p.wasThere(stamp, now) {
		return stamp
	}
	return 0
}

// wasThere reports whether the stamp was surely there when the poll came, and no later publication can be given it. Any
// other counts as unseen: rather told of once too often than never.
func (p *poll) wasThere(stamp, now Stamp) bool {
	// The look may come a while after the poll, and the store's clock was read some time in it.
	surely := p.arrival.Add(-p.took).Add(-max(p.timing.Settle, p.timing.Lag))
	return stamp <= surely || p.isSetAhead(stamp, now.Add(p.timing.Lead))
}

// isSetAhead reports whether the stamp is further ahead of the clock, read when the look began, than a publication during
// the look could be. Somebody has set it, and it will not be given again.
func (p *poll) isSetAhead(stamp, now Stamp) bool {
	const slack = 10 * time.Millisecond
	return stamp > now.Add(p.took+slack)
}

// concerns reports whether the stamp is something that the subscriber has not seen.
func (p *poll) concerns(w *watch, stamp Stamp) bool {
	switch cursor := w.Cursor; {
	case cursor.kind == precise:
		return stamp != Stamp(cursor.value)
	case cursor.kind == preciseNow, p.precise && cursor.fromNow():
		return stamp != w.found
	case p.precise:
		return stamp.Second() >= cursor.value
	default:
		seen := cursor.value
		if cursor.fromNow() {
			seen = p.arrival.Second()
		}
		return stamp.Second() > seen || stamp != w.found || p.clockIsWrong(seen, stamp)
	}
}

// clockIsWrong reports whether the whole-second client's clock is so far ahead that its T says nothing, and the event
// was published about when the poll came. The answer heals it: from then on its T is the server's time.
func (p *poll) clockIsWrong(t int64, stamp Stamp) bool {
	const ahead, recent = 2 * second, 5 * second
	return Stamp(t)*second > p.arrival+ahead && t != stamp.Second() && stamp >= p.arrival-recent
}

// inTime reports whether the stamp can go along with the answer. An answer that is being held takes along what was
// published until the time it is held to. Anything later would have to be held in its turn, and under steady
// publications never go: it is left to the next poll, which gets it at once, for that poll's cursor will be older.
func (p *poll) inTime(stamp, now Stamp) bool {
	return p.heldTo == 0 || p.safeAt(stamp) <= max(p.heldTo, now)
}

// safeAt returns when nothing new can hide behind the stamp any more: no later publication can be given what the
// subscriber will send back as its cursor.
func (p *poll) safeAt(stamp Stamp) Stamp {
	if p.precise {
		return stamp.Add(p.timing.Settle)
	}
	return p.secondIsOver(stamp.Second())
}

func (p *poll) secondIsOver(t int64) Stamp {
	return Stamp(t+1)*second + Stamp(p.timing.Lag.Microseconds())
}

// putOff forgets what there is to tell, until the next look, which finds it again.
func (p *poll) putOff() {
	p.ready, p.heldTo = 0, 0
	for i := range p.watches {
		p.watches[i].answer = 0
	}
}

// leaveOut leaves to the next poll what one answer with so many bytes of data has no room for, or whose data was not read: that
// poll gets it at once, for its cursor is older.
func (p *poll) leaveOut(data map[*event]json.RawMessage, room int) {
	first := true
	for _, w := range p.inTurns() {
		carried, read := data[w.event]
		if data != nil && !read || !first && len(carried) > room {
			w.answer = 0
			continue
		}
		room -= len(carried)
		first = false
	}
}

// inTurns returns the events that there is to tell of, those first of which the subscriber was told longest ago. So nothing is left
// out for ever, however often it is published, and the others are: who has just been told of them, has newer cursors.
func (p *poll) inTurns() []*watch {
	var changed []*watch
	for i := range p.watches {
		if p.watches[i].answer != 0 {
			changed = append(changed, &p.watches[i])
		}
	}
	slices.SortStableFunc(changed, func(a, b *watch) int { return cmp.Compare(p.seen(a), p.seen(b)) })
	return changed
}

// seen is what the subscriber was told of an event, last. A time that is still to come is no reason to wait for it.
func (p *poll) seen(w *watch) Stamp {
	seen := Stamp(w.Cursor.value)
	switch {
	case w.Cursor.kind == preciseNow, w.Cursor.fromNow():
		seen = w.found
	case w.Cursor.kind != precise:
		seen *= second
	}
	if seen > p.arrival {
		return 0
	}
	return seen
}

// changed reports whether there is anything to tell the subscriber.
func (p *poll) changed() bool {
	for i := range p.watches {
		if p.watches[i].answer != 0 {
			return true
		}
	}
	return false
}

// hold returns until when an answer given now would have to be held back; at or before now: it can go.
//
// A whole-second answer has to wait for the end of every second that the client will send back as T, and that a later
// publication could fall into before the client's next poll; else that publication would never be seen. For T of the
// client's own clock that is the current second and two more. For the second of a stamp that somebody has set ahead it is
// five: with a later one the next poll, after a pause of at most 3 s, still finds its T more than 2 s ahead, and
// clockIsWrong tells it of what was published meanwhile. While the store is gone, any T may be such a second. A precise answer
// has to wait until its stamps can't be given again.
//
// It ends: the stamps of the answer only change within the time it is held to, and T not at all. A client with one clock
// is held for 6 s at the most. Where its clock and a file's time are ahead, one second may come near while it waits for
// another; nobody waits longer than 8.
func (p *poll) hold(now Stamp) Stamp {
	const ofClient, ofStamp, longest = 2, 5, 8 * time.Second
	if p.ready == 0 || now < p.ready { // The clock may have been set back.
		p.ready, p.heldTo = now, 0
	}
	for i := range p.watches {
		w := &p.watches[i]
		switch {
		case p.precise:
			p.heldTo = max(p.heldTo, p.settlesAt(w.answer, now))
		case w.answer != 0:
			p.heldTo = max(p.heldTo, p.secondEnds(w.answer.Second(), now, ofStamp))
		case !w.event.known || w.Cursor.value == w.event.stamp.Second():
			p.heldTo = max(p.heldTo, p.secondEnds(w.Cursor.value, now, ofStamp))
		default:
			p.heldTo = max(p.heldTo, p.secondEnds(w.Cursor.value, now, ofClient))
		}
	}
	return min(p.heldTo, p.ready.Add(longest))
}

// secondEnds returns when the second t is over, if it is the current one or at most so many ahead, else 0.
func (p *poll) secondEnds(t int64, now Stamp, ahead int64) Stamp {
	if t > now.Second()+ahead || p.secondIsOver(t) <= now {
		return 0
	}
	return p.secondIsOver(t)
}

// settlesAt returns from when no later publication can be given this stamp; 0: it can't be anyway.
func (p *poll) settlesAt(stamp, now Stamp) Stamp {
	if stamp == 0 || p.isSetAhead(stamp, now) {
		return 0
	}
	return stamp.Add(p.timing.Settle)
}

// result is the answer as it stands, with what the events carry.
func (p *poll) result(data map[*event]json.RawMessage) Answer {
	var a Answer
	for _, w := range p.watches {
		if w.answer != 0 {
			a.Changed = append(a.Changed, Event{w.ID, w.answer, data[w.event]})
		}
		if p.precise {
			a.Cursors = append(a.Cursors, Subscription{w.ID, p.nextCursor(w)})
		}
	}
	return a
}

// nextCursor returns the cursor that the subscriber should send in its next poll.
func (p *poll) nextCursor(w watch) Cursor {
	switch {
	case w.answer != 0:
		return Cursor{precise, int64(w.answer)}
	case w.found != Unknown && (w.Cursor.kind == preciseNow || w.Cursor.fromNow()):
		return Cursor{precise, int64(w.found)}
	default:
		return w.Cursor
	}
}
