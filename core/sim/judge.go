package sim

import (
	"fmt"
	"strconv"
	"time"

	"novcomet/core/event"
)

// Violation says how a record breaks a rule.
type Violation struct {
	rule string // one word, the same for all violations of the rule
	text string
}

func violation(rule, format string, values ...any) *Violation {
	return &Violation{rule, fmt.Sprintf(format, values...)}
}

func (v *Violation) String() string { return v.rule + ": " + v.text }

// Judge returns the first violation, or nil.
func (r *Record) Judge() *Violation {
	if r.waiting != 0 {
		return violation("left", "%d polls still wait", r.waiting)
	}
	for i, c := range r.clients {
		for j, p := range c.polls {
			if v := r.judgeAnswer(c, p); v != nil {
				return violation(v.rule, "client %d, poll %d: %s", i, j, v.text)
			}
		}
		for index := range r.publications {
			if v := r.judgePublication(c, index); v != nil {
				return violation(v.rule, "client %d: %s", i, v.text)
			}
		}
	}
	return nil
}

// judgePublication decides whether the client got the publication, or a later one of the same event, in time:
// with the poll that waited at that time, or with the next one.
func (r *Record) judgePublication(c *client, index int) *Violation {
	pub := r.publications[index]
	var previous *poll
	truncated := 0
	for i, p := range c.polls {
		if _, asked := p.cursors[pub.event]; !asked {
			return nil
		}
		if p.first { // A new stream may have lost the last part of the one before.
			truncated = 0
		}
		if p.ended.publications <= index {
			previous = p
			continue
		}
		waited := p.began.publications <= index ||
			p.stream != nil && !p.first && pub.at.After(p.began.at.Add(-transfer)) // The part before was on its way.
		if !waited && previous == nil || r.mayMiss(c, previous, p, index) {
			return nil
		}
		found := r.foundBy(p, pub, waited)
		due := r.answeredBy(c, p, pub, found)
		switch {
		case p.ended.at.After(due):
			return violation("missed", "publication %d was due at %v; poll %d ended at %v", index, due.Sub(start), i,
				p.ended.at.Sub(start))
		case p.answered && r.deliveredBy(c, p, pub.event) >= index:
			return nil
		case r.isTruncated(p, pub.event) && truncated < r.maxTruncated(p):
			truncated++
		case !waited && p.answered && !found.After(p.began.at):
			return violation("missed", "publication %d was before poll %d, whose answer does not have it", index, i)
		}
		previous = p
	}
	return nil // The client does not keep polling.
}

// maxTruncated returns how often in succession an answer can have no room for an event. Each of the other
// events can come first twice, because it was delivered less recently. It can come first twice more if the
// clock was set back or a stamp is ahead, because its cursor then does not say when it was delivered.
func (r *Record) maxTruncated(p *poll) int {
	const each, ahead = 2, 2
	if r.hadStampAhead(p) {
		return (each + ahead) * (len(p.cursors) - 1)
	}
	return each * (len(p.cursors) - 1)
}

// foundBy returns the latest time at which the hub finds the publication for the poll: at its arrival, with a
// notification, after one sleep, or when a watch begins. If the store has failed, it is one sleep after the
// store is back.
func (r *Record) foundBy(p *poll, pub publication, waited bool) time.Time {
	found := p.began.at
	if waited {
		found = pub.at.Add(p.sleep)
		if at, ok := pub.notified[p.process]; ok {
			found = at
		}
		for _, at := range p.process.watched {
			if at.After(pub.at) && at.Before(found) { // What happens at the very same time has no order.
				found = at
			}
		}
	}
	from := pub.at
	if p.began.at.After(from) {
		from = p.began.at
	}
	for { // The store may fail again. An answer is also held until its data can be read.
		back, failed := r.partFailed(p.data, from, found.Add(r.resolution(p)+r.slack()))
		if !failed || !found.Before(back.Add(p.sleep)) {
			return found
		}
		found = back.Add(p.sleep)
	}
}

// answeredBy returns the latest time of the answer. A precise answer is held for the resolution of its stamp.
// A legacy answer is held for 2 s; for 4 s, if the client's clock is up to 3 s ahead and another second has
// held the answer until it is only 2 s ahead; for 8 s, if a stamp is ahead or the clock was set back.
func (r *Record) answeredBy(c *client, p *poll, pub publication, found time.Time) time.Time {
	stampAhead := r.hadStampAhead(p)
	if c.precise {
		due := found.Add(r.resolution(p) + r.slack())
		if stampAhead { // A stamp that is slightly ahead is held, too, and meanwhile another one comes near.
			due = due.Add(time.Duration(len(p.cursors))*setAhead + r.resolution(p))
		}
		return due
	}
	const usual, clockAhead, longest = 2 * time.Second, 4 * time.Second, 8 * time.Second
	hold := usual
	clock := pub.clock.Add(found.Sub(pub.at))
	for _, cursor := range p.cursors {
		t, _ := strconv.ParseInt(cursor, 10, 64)
		if end := event.Stamp(t+1) * event.Second; end > clock.Add(usual) && end <= clock.Add(longest) {
			hold = clockAhead
		}
	}
	// While the store fails, any T may be the second of a stamp.
	if _, failed := r.storeFailed(p.began.at, p.ended.at); stampAhead || failed && hold > usual {
		hold = longest
	}
	due := found.Add(min(hold+r.Timing().Lag, longest) + r.slack())
	for _, s := range r.setbacks {
		// The hub notices at its next check, and then holds the answer again.
		if again := s.at.Add(2*longest + r.slack()); s.at.Before(due) && again.After(due) {
			due = again
		}
	}
	return due
}
