package hub

import (
	"cmp"
	"slices"
	"time"

	"novcomet/core/event"
	"novcomet/core/store"
)

// delivery decides when a request is answered, and with what. It has no clock and no lock; the hub passes in
// what each check of the store has found.
type delivery struct {
	subscriptions []subscription
	precise       bool
	data          event.Form // how the answer contains the data of its events
	timing        store.Timing

	checked   bool          // The store has been checked, so the following fields are known.
	arrival   event.Stamp   // when the request arrived, by the store's clock
	took      time.Duration // how long the last check took
	ready     event.Stamp   // when the request could first have been answered
	heldUntil event.Stamp   // The answer is held until then; 0: it is not held.
}

// subscription is one event of a request.
type subscription struct {
	event.Subscription
	link
	initial   event.Stamp // the stamp on arrival; store.Unknown until the event has been checked
	delivered event.Stamp // the stamp that the answer will contain; 0: the event has not changed
}

// start begins a request. It reuses the memory of the one before.
func (d *delivery) start(r Request, timing store.Timing) {
	subscriptions := d.subscriptions[:0]
	for _, s := range r.Subscriptions {
		subscriptions = append(subscriptions, subscription{Subscription: s, initial: store.Unknown})
	}
	timing.Resolution = max(timing.Resolution, time.Microsecond)
	data := r.Data
	if !r.Precise {
		data = event.NoData
	}
	if data != event.NoData {
		timing.Resolution = max(timing.Resolution, timing.Write) // rule: data-answer-is-held-until-written
	}
	*d = delivery{subscriptions: subscriptions, precise: r.Precise, data: data, timing: timing}
}

// check applies the stamps of one check: now is the store's clock when the check began, waited is how long
// the request had waited then, and took is how long the check lasted.
func (d *delivery) check(now event.Stamp, waited, took time.Duration) {
	d.took = took
	if !d.checked {
		d.checked, d.arrival = true, now.Add(-waited)
	}
	for i := range d.subscriptions {
		s := &d.subscriptions[i]
		if !s.entry.known {
			continue
		}
		stamp := s.entry.stamp
		if s.initial == store.Unknown {
			s.initial = 0
			if d.predates(stamp, now) {
				s.initial = stamp
			}
		}
		if stamp != 0 && d.isNew(s, stamp) && d.fitsHeldAnswer(stamp, now) {
			s.delivered = stamp
		}
	}
}

// predates reports whether the stamp is certainly older than the request and cannot be assigned again. If in
// doubt it is false: a duplicate is better than a loss.
func (d *delivery) predates(stamp, now event.Stamp) bool {
	// The check may begin some time after the request arrived, and reads the store's clock some time after it
	// began.
	certain := d.arrival
	certain = certain.Add(-d.took)                                 // rule: stamp-from-during-the-check-counts-as-unseen
	certain = certain.Add(-max(d.timing.Resolution, d.timing.Lag)) // rule: stamp-within-the-lag-counts-as-unseen
	return stamp <= certain ||
		d.isSetAhead(stamp, now.Add(d.timing.Lead)) // rule: stamp-set-ahead-was-there-on-arrival
}

// isSetAhead reports whether the stamp is further ahead of the clock than a publication during the check
// could be. Then a program has set it, and no publication will get it.
func (d *delivery) isSetAhead(stamp, now event.Stamp) bool {
	const slack = 10 * time.Millisecond
	latest := now
	latest = latest.Add(d.took + slack) // rule: stamp-from-during-the-check-is-not-set-ahead
	return stamp > latest
}

// isNew reports whether the client has not seen the stamp.
func (d *delivery) isNew(s *subscription, stamp event.Stamp) bool {
	switch kind := s.Cursor.Kind(); {
	case kind == event.Precise:
		return stamp != s.Cursor.Stamp() // rule: other-stamp-than-the-cursor-is-new
	case kind == event.PreciseNow, d.precise && kind == event.LegacyNow:
		return stamp != s.initial // rule: change-since-arrival-is-new-for-now
	case d.precise:
		return stamp.Second() >= s.Cursor.Second() // rule: second-of-a-whole-cursor-is-new-for-precise
	default:
		seen := s.Cursor.Second()
		if kind == event.LegacyNow {
			seen = d.arrival.Second()
		}
		return stamp.Second() > seen || // rule: later-second-is-new-for-legacy
			stamp != s.initial || // rule: change-since-arrival-is-new-for-legacy
			d.clockIsWrong(seen, stamp) // rule: wrong-client-clock-hides-nothing
	}
}

// clockIsWrong reports whether a legacy client's clock is so far ahead that its T has no meaning, and the
// event was published about when the poll arrived. The answer corrects the T: from then on, it is the
// server's time.
func (d *delivery) clockIsWrong(t int64, stamp event.Stamp) bool {
	const ahead, recent = 2 * event.Second, 5 * event.Second
	return event.Stamp(t)*event.Second > d.arrival+ahead && // rule: client-clock-up-to-2-s-ahead-is-right
		t != stamp.Second() && // rule: client-that-sends-the-stamp-has-seen-it
		stamp >= d.arrival-recent // rule: wrong-client-clock-makes-only-recent-stamps-new
}

// fitsHeldAnswer reports whether a stamp may still join the answer. A held answer collects publications up to
// its release time. Later ones wait for the next poll, which gets them at once. Otherwise, steady publishing
// would delay the answer for ever.
func (d *delivery) fitsHeldAnswer(stamp, now event.Stamp) bool {
	// rule: too-late-for-a-held-answer-is-left-to-the-next
	return d.heldUntil == 0 || d.safeFrom(stamp) <= max(d.heldUntil, now)
}

// safeFrom returns when no later publication can be given the cursor that the client will send back for the
// stamp.
func (d *delivery) safeFrom(stamp event.Stamp) event.Stamp {
	if d.precise {
		return stamp.Add(d.timing.Resolution)
	}
	return d.endOfSecond(stamp.Second())
}

func (d *delivery) endOfSecond(t int64) event.Stamp {
	end := event.Stamp(t+1) * event.Second
	end = end.Add(d.timing.Lag) // rule: legacy-answer-is-held-for-the-lag
	return end
}

// releaseTime returns when the answer may be sent; it may be sent now if that is not in the future.
//
// A legacy client compares whole seconds. Its answer is held until every second has ended that the client
// will send back as T and that a publication before its next poll could fall into:
//
//	second of                        how far ahead
//	the client's clock               2 s
//	a stamp that was set ahead       5 s: with a later one, the next poll (after at most 3 s)
//	                                 finds that its T is more than 2 s ahead, and clockIsWrong applies
//	any T while the store is gone    5 s: it may be a stamp's second
//
// A precise answer is held until its stamps cannot be assigned again. No answer is held for more than 8 s
// after it was first ready: T never changes, and the stamps only within the hold. With one clock, 6 s is the
// longest. nextTimeLocked lets the hub wait for it.
func (d *delivery) releaseTime(now event.Stamp) event.Stamp {
	const longest = 8 * time.Second
	if d.ready == 0 ||
		now < d.ready { // rule: hold-begins-again-when-the-clock-is-set-back
		d.ready, d.heldUntil = now, 0
	}
	for i := range d.subscriptions {
		s := &d.subscriptions[i]
		if d.precise {
			// rule: precise-answer-is-held-until-its-stamp-has-settled
			d.heldUntil = max(d.heldUntil, d.resolvedFrom(s.delivered, now))
			continue
		}
		t, ahead := s.nextT()
		d.heldUntil = max(d.heldUntil, d.endOfNearSecond(t, now, ahead))
	}
	return min(d.heldUntil,
		d.ready.Add(longest)) // rule: answer-is-held-for-8-s-at-most
}

// nextT returns the T that a legacy client sends with its next poll, and how many seconds ahead it may be for
// the answer to be held.
func (s *subscription) nextT() (t, ahead int64) {
	const clientAhead, stampAhead = 2, 5 // seconds
	t = s.Cursor.Second()                // rule: legacy-answer-is-held-for-the-cursor-of-an-unchanged-event
	ahead = clientAhead                  // rule: legacy-answer-is-held-for-a-cursor-2-s-ahead
	if s.delivered != 0 {
		t = s.delivered.Second() // rule: legacy-answer-is-held-for-the-second-of-its-stamp
	}
	if s.delivered != 0 || !s.entry.known ||
		t == s.entry.stamp.Second() { // rule: legacy-answer-is-held-for-a-cursor-that-is-a-stamp-5-s-ahead
		ahead = stampAhead // rule: legacy-answer-is-held-for-a-stamp-5-s-ahead
	}
	return t, ahead
}

// endOfNearSecond returns when the second t ends, and 0 if it has ended or is more than ahead seconds in the
// future.
func (d *delivery) endOfNearSecond(t int64, now event.Stamp, ahead int64) event.Stamp {
	if t > now.Second()+ahead || // rule: legacy-answer-is-not-held-for-a-second-far-ahead
		d.endOfSecond(t) <= now {
		return 0
	}
	return d.endOfSecond(t)
}

// resolvedFrom returns when no later publication can be given the stamp. It returns 0 if there is no stamp,
// or if a program has set it ahead: no publication gets that one.
func (d *delivery) resolvedFrom(stamp, now event.Stamp) event.Stamp {
	if stamp == 0 ||
		d.isSetAhead(stamp, now) { // rule: precise-answer-is-not-held-for-a-stamp-set-ahead
		return 0
	}
	return stamp.Add(d.timing.Resolution)
}

// reset drops the answer. The next check finds the changes again.
func (d *delivery) reset() {
	d.ready, d.heldUntil = 0, 0
	for i := range d.subscriptions {
		d.subscriptions[i].delivered = 0 // rule: data-answer-put-off-delivers-nothing
	}
}

// hasChanged reports whether the answer contains an event.
func (d *delivery) hasChanged() bool {
	for i := range d.subscriptions {
		if d.subscriptions[i].delivered != 0 {
			return true
		}
	}
	return false
}

// changedOldestFirst returns the changed events, least recently delivered first. An answer that is full drops
// the tail. Delivering an event moves it to the back, so no event starves. The result uses the memory of
// buffer.
func (d *delivery) changedOldestFirst(buffer []*subscription) []*subscription {
	changed := buffer[:0]
	for i := range d.subscriptions {
		if d.subscriptions[i].delivered != 0 {
			changed = append(changed, &d.subscriptions[i])
		}
	}
	compare := func(a, b *subscription) int { return cmp.Compare(d.lastDelivered(a), d.lastDelivered(b)) }
	slices.SortStableFunc(changed, compare)
	return changed
}

// lastDelivered returns the stamp that the client last received. A stamp in the future sorts first;
// otherwise, its event would always be last.
func (d *delivery) lastDelivered(s *subscription) event.Stamp {
	var last event.Stamp
	switch s.Cursor.Kind() {
	case event.Precise:
		last = s.Cursor.Stamp()
	case event.Legacy:
		last = event.Stamp(s.Cursor.Second()) * event.Second
	default:
		last = s.initial
	}
	if last > d.arrival {
		return 0
	}
	return last
}

// nextCursor returns the cursor that a precise client should send with its next poll.
func (d *delivery) nextCursor(s *subscription) event.Cursor {
	kind := s.Cursor.Kind()
	switch {
	case s.delivered != 0: // rule: cursor-of-a-changed-event-is-the-stamp-delivered
		return event.At(s.delivered)
	case s.initial != store.Unknown && // rule: cursor-for-now-stays-until-a-stamp-is-found
		(kind == event.PreciseNow || kind == event.LegacyNow): // rule: cursor-of-an-unchanged-event-stays
		return event.At(s.initial)
	default:
		return s.Cursor
	}
}
