package core_test

import (
	"fmt"
	"strconv"
	"time"

	"novcomet/core"
)

// judgePublication looks whether a subscriber was answered with the publication or with a later one, in time: by the poll
// that waited when it came, or else by the next.
func (p *playback) judgePublication(c *client, index int) *violation {
	pub := p.publications[index]
	var previous *poll
	leftOut := 0
	for i, q := range c.polls {
		if _, asked := q.sent[pub.event]; !asked {
			return nil
		}
		if q.first { // A stream that begins anew may have lost what it was told last, or where it was.
			leftOut = 0
		}
		if q.ended.publications <= index {
			previous = q
			continue
		}
		waited := q.asked.publications <= index
		if !waited && previous == nil || p.excused(c, previous, q, index) {
			return nil
		}
		found := p.found(q, pub, waited)
		late := p.answerBy(c, q, pub, found)
		covered := q.answered && p.told(c, q, pub.event) >= index
		switch {
		case q.ended.at.After(late):
			return &violation{"missed", fmt.Sprintf("publication %d was to be answered by %v; poll %d ended at %v", index, late.Sub(start), i, q.ended.at.Sub(start))}
		case covered:
			return nil
		case p.leavesOut(q, pub.event) && leftOut < p.turns(q):
			leftOut++
		case !waited && q.answered && !found.After(q.asked.at):
			return &violation{"missed", fmt.Sprintf("publication %d was there when poll %d came, which ended without it", index, i)}
		}
		previous = q
	}
	return nil // It does not keep polling.
}

// turns returns how often an event can be left out. Each of the others may have been told longer ago, and be so once more, and
// as often where the clock was set back or its stamp is ahead: then its cursor says nothing of when that was.
func (p *playback) turns(q *poll) int {
	const each, ahead = 2, 2
	if p.anyAhead(q) {
		return (each + ahead) * (len(q.sent) - 1)
	}
	return each * (len(q.sent) - 1)
}

// leavesOut reports whether the answer may have had no room for the event, and so tells only of others.
func (p *playback) leavesOut(q *poll, event string) bool {
	_, told := q.answer.K[event]
	return p.history.room > 0 && q.data && len(q.answer.K) > 0 && !told
}

// found returns when a poll must have learned of the publication at the latest: at its arrival; when the Notifier told;
// after one sleep; when the Notifier began to listen again. While the store is gone nothing can be learned: then it is a
// sleep after that.
func (p *playback) found(q *poll, pub publication, waited bool) time.Time {
	found := q.asked.at
	if waited {
		found = pub.at.Add(q.sleep)
		if at, told := pub.told[q.process]; told {
			found = at
		}
		for _, at := range q.process.heard {
			if at.After(pub.at) && at.Before(found) { // At the very same time either may come first.
				found = at
			}
		}
	}
	from := pub.at
	if q.asked.at.After(from) {
		from = q.asked.at
	}
	for { // An answer may be held until the data can be read.
		back, gone := p.failedBetween(q.data, from, found.Add(p.settle(q)+p.slack()))
		if !gone || !found.Before(back.Add(q.sleep)) {
			return found
		}
		found = back.Add(q.sleep)
	}
}

// answerBy returns when the answer must have gone: for a precise poll when the stamp has settled, for a whole-second one
// within 2 s. A client that goes by a second further ahead waits until that is over: at most 4 s, if it is by its own clock
// (3 s ahead, when another second has kept the answer until then), and 8 s, if it is that of a file or of a clock that was
// set back.
func (p *playback) answerBy(c *client, q *poll, pub publication, found time.Time) time.Time {
	timing := p.Timing()
	ahead := p.anyAhead(q)
	if c.precise {
		by := found.Add(p.settle(q) + p.slack())
		if ahead { // One that is only a little ahead is taken for one that could be given again, and another comes near meanwhile.
			by = by.Add(time.Duration(len(q.sent))*setAhead + p.settle(q))
		}
		return by
	}
	const usual, clockAhead, stampAhead = 2 * time.Second, 4 * time.Second, 8 * time.Second
	hold := usual
	clock := pub.clock.Add(found.Sub(pub.at))
	for _, sent := range q.sent {
		t, _ := strconv.ParseInt(sent, 10, 64)
		if over := core.Stamp(t+1) * inASec; over > clock.Add(usual) && over <= clock.Add(stampAhead) {
			hold = clockAhead
		}
	}
	if _, gone := p.goneBetween(q.asked.at, q.ended.at); ahead || gone && hold > usual { // While it is gone, T may be a stamp's.
		hold = stampAhead
	}
	by := found.Add(min(hold+timing.Lag, stampAhead) + p.slack())
	for _, s := range p.setbacks {
		// The loop finds out at its next look, and then an answer is held anew.
		if again := s.at.Add(2*stampAhead + p.slack()); s.at.Before(by) && again.After(by) {
			by = again
		}
	}
	return by
}

// settle returns the age from which a stamp can be told.
func (p *playback) settle(q *poll) time.Duration {
	timing := p.Timing()
	if q.data {
		return max(timing.Settle, timing.Write)
	}
	return max(timing.Settle, time.Microsecond)
}

// anyAhead reports whether there was any stamp ahead of the clock before the poll ended.
func (p *playback) anyAhead(q *poll) bool {
	for _, s := range p.setbacks {
		if s.at.Before(q.ended.at) {
			return true
		}
	}
	for _, pub := range p.publications[:q.ended.publications] {
		if pub.stamp > pub.clock.Add(unseen) {
			return true
		}
	}
	return false
}
