package core_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"novcomet/core"
)

// How far the rules may take a stamp for one that came after the poll, and for one that was set ahead of the clock.
const (
	unseen   = 20 * time.Millisecond
	setAhead = 10 * time.Millisecond
	inASec   = core.Stamp(1_000_000)
)

// judgePoll looks at one answer by itself: whether each of its events has changed, whether it came before its time, and
// what is to be sent next.
func (p *playback) judgePoll(c *client, q *poll) *violation {
	if q.problem != nil {
		return &violation{"malformed", fmt.Sprintf("%s: %v", q.body, q.problem)}
	}
	if !q.answered {
		return nil
	}
	for _, event := range c.events {
		if broken := p.judgeEvent(c, q, event); broken != nil {
			broken.text = fmt.Sprintf("%s of %s: %s", event, q.body, broken.text)
			return broken
		}
	}
	if q.answer.S == 0 {
		if broken := p.judgeUnchanged(c, q); broken != nil {
			return broken
		}
	}
	if q.stream != nil {
		return p.judgePart(q)
	}
	return nil
}

func (p *playback) judgeEvent(c *client, q *poll, event string) *violation {
	if value, changed := q.answer.K[event]; changed {
		if index := p.told(c, q, event); index < 0 {
			return &violation{"invented", "it never had that stamp"}
		}
		if !p.hasChanged(c, q, event) {
			return &violation{"spurious", "that is what the subscriber knew"}
		}
		if c.precise && q.answer.At[event] != value.String() {
			return &violation{"cursor", "its cursor is another"}
		}
		if broken := p.judgeData(c, q, event); q.data && broken != nil {
			return broken
		}
		return p.judgeHold(c, q, value.String(), true)
	}
	if c.precise {
		if broken := p.judgeWithheld(q, event); broken != nil || q.comment {
			return broken
		}
		return p.judgeCursor(q, event)
	}
	return p.judgeHold(c, q, q.sent[event], false)
}

// judgeWithheld looks whether a precise poll was not told of a stamp that was there when it came, and as long as it waited.
func (p *playback) judgeWithheld(q *poll, event string) *violation {
	found := p.stampAt(event, q.asked.publications)
	if p.leavesOut(q, event) || p.storeFailed(q, q.asked.at, q.ended.at.Add(1)) || found == 0 || !strings.Contains(q.sent[event], ".") ||
		q.sent[event] == found.String() || p.stampAt(event, q.ended.publications) != found {
		return nil
	}
	return &violation{"hidden", fmt.Sprintf("its stamp was %v all the time, and its cursor %s", found, q.sent[event])}
}

// hasChanged reports whether what an answer tells of an event is news, by the cursor that the subscriber sent.
func (p *playback) hasChanged(c *client, q *poll, event string) bool {
	sent := q.sent[event]
	switch {
	case strings.Contains(sent, "."):
		return q.answer.K[event].String() != sent
	case sent == "now":
		return p.cameWhileItWaited(c, q, event)
	}
	t, _ := strconv.ParseInt(sent, 10, 64)
	told := p.publications[p.told(c, q, event)].stamp
	switch {
	case c.precise:
		return told.Second() >= t
	case told.Second() > t || p.cameWhileItWaited(c, q, event):
		return true
	default: // The client's clock is wrong.
		const ahead, recent = 2, 5
		slow := core.Stamp(p.slow.Microseconds())
		arrival := p.arrival(q)
		return core.Stamp(t-ahead)*inASec > arrival-slow && told.Second() != t && told >= arrival-recent*inASec-2*slow
	}
}

// cameWhileItWaited reports whether what the answer tells was published after the poll came, as far as stamps can say: what
// is stamped within 20 ms of the arrival may have come after it, and so may what was set ahead to a time in which the poll
// was looked at first.
func (p *playback) cameWhileItWaited(c *client, q *poll, event string) bool {
	slow := 2 * p.slow
	earliest, latest := p.arrival(q).Add(-unseen-slow), q.asked.clock.Add(setAhead+slow+p.slow)
	if q.stream != nil && !q.first && q.sent[event] == "now" { // The store was gone before: the server knows more than it has told.
		return true
	}
	if _, gone := p.goneBetween(q.asked.at, q.asked.at.Add(slow+1)); gone {
		latest = q.ended.clock.Add(setAhead)
	}
	for i := q.ended.publications - 1; i >= 0; i-- {
		pub := p.publications[i]
		if pub.event == event && c.says(q.answer.K[event].String(), pub.stamp) &&
			(i >= q.asked.publications || pub.stamp > earliest && pub.stamp <= latest) {
			return true
		}
	}
	return false
}

// judgeHold looks whether the answer went before its time: a whole-second one in a second that the client will send back, a
// precise one while its stamp could still be given again.
func (p *playback) judgeHold(c *client, q *poll, value string, changed bool) *violation {
	for _, s := range p.setbacks {
		after := 2*p.slow + time.Microsecond // Clients do nothing at the very same time.
		if q.data {
			after = p.slack()
		}
		if d := q.ended.at.Sub(s.at); d >= 0 && d <= after { // after the look had read the clock
			return nil
		}
	}
	timing := p.Timing()
	if c.precise {
		stamp := stampOf(value)
		settled := stamp.Add(p.settle(q))
		if stamp <= q.ended.clock && q.ended.clock < settled {
			return &violation{"early", fmt.Sprintf("%v could be given again until %v, and it was %v", stamp, settled, q.ended.clock)}
		}
		return nil
	}
	const ahead = 2 // The client's clock may be as wrong as that, and somebody may have set the file so far ahead.
	t, _ := strconv.ParseInt(value, 10, 64)
	over := (core.Stamp(t+1) * inASec).Add(timing.Lag)
	if p.cutShort(q, t) {
		return nil
	}
	if t <= q.ended.clock.Add(-2*p.slow).Second()+ahead && q.ended.clock < over {
		return &violation{"early", fmt.Sprintf("the client will go by %v, which was over at %v, and it was %v (changed: %v)", value, over, q.ended.clock, changed)}
	}
	return nil
}

func stampOf(cursor string) core.Stamp {
	micros, err := strconv.ParseInt(strings.Replace(cursor, ".", "", 1), 10, 64)
	if err != nil {
		panic(err)
	}
	return core.Stamp(micros)
}

// judgeCursor looks at the next cursor of an event that has not changed: the one that was sent, and for "now" the stamp
// that there was.
func (p *playback) judgeCursor(q *poll, event string) *violation {
	sent, next := q.sent[event], q.answer.At[event]
	if sent != "now" {
		if next != sent {
			return &violation{"cursor", fmt.Sprintf("its cursor was %s, and it has not changed", sent)}
		}
		return nil
	}
	if _, gone := p.goneBetween(q.asked.at, q.ended.at.Add(1)); gone && next == "now" {
		return nil
	}
	untold := p.leavesOut(q, event) || q.data && p.storeFailed(q, q.asked.at, q.ended.at.Add(1))
	if untold && stampOf(next) == 0 { // It was to be told of a stamp of the last 20 ms.
		return nil
	}
	found := p.stampAt(event, q.asked.publications)
	if next == found.String() {
		return nil
	}
	for _, pub := range p.publications[q.asked.publications:q.ended.publications] {
		if pub.event == event && pub.stamp.String() == next && p.foundAhead(q, pub) {
			return nil
		}
	}
	return &violation{"cursor", fmt.Sprintf("the poll found %v", found)}
}

// judgeUnchanged looks at an answer that nothing changed: it must not come before the poll's time is over, nor hide what
// the store held by then.
func (p *playback) judgeUnchanged(c *client, q *poll) *violation {
	const longestHold = 8 * time.Second
	took := q.ended.at.Sub(q.asked.at)
	if took < q.wait && p.history.maxWaiting == 0 && !q.drained() {
		return &violation{"unchanged", fmt.Sprintf("answered after %v instead of %v", took, q.wait)}
	}
	limit := q.wait + p.slack()
	if !c.precise {
		limit += longestHold
	}
	if len(p.setbacks) > 0 { // The hold begins anew.
		limit += longestHold
	}
	if p.storeFailed(q, q.asked.at, q.ended.at.Add(1)) { // What was to be told was held, and then its data was not to be had.
		limit += p.settle(q)
	}
	if took > limit {
		return &violation{"unchanged", fmt.Sprintf("answered after %v instead of %v", took, q.wait)}
	}
	if p.storeFailed(q, q.asked.at, q.ended.at.Add(1)) {
		return nil
	}
	for i := q.asked.publications; i < q.ended.publications; i++ {
		if p.hides(c, q, i) {
			return &violation{"hidden", fmt.Sprintf("publication %d", i)}
		}
	}
	return nil
}

// hides reports whether an unchanged answer hides a publication that came while it waited, and not only in the last
// moment, nor in a second that it could not be held for any more.
func (p *playback) hides(c *client, q *poll, index int) bool {
	pub := p.publications[index]
	sent, asked := q.sent[pub.event]
	if !asked || pub.at.After(q.ended.at.Add(-unseen-p.slack())) || p.excused(c, nil, q, index) {
		return false
	}
	now := p.stampAt(pub.event, q.ended.publications)
	if !c.precise && core.Stamp(now.Second()+1)*inASec > q.ended.clock.Add(-p.Timing().Lag) {
		return false
	}
	return now.String() != sent && now != p.stampAt(pub.event, q.asked.publications)
}
