package sim

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"novcomet/core/event"
)

// The delivery rules work with these tolerances: a stamp that is less than unseen old may be later than the
// poll, and one that is less than setAhead ahead of the clock may be that of a publication.
const (
	unseen   = 20 * time.Millisecond
	setAhead = 10 * time.Millisecond
)

// transfer is longer than a server takes to pass on an answer, or a part of a stream.
const transfer = time.Microsecond

// judgeAnswer decides whether each event of the answer has changed, whether the answer was sent at the right
// time, and whether it has the right cursors.
func (r *Record) judgeAnswer(c *client, p *poll) *Violation {
	if p.problem != nil {
		return violation("malformed", "%s: %v", p.body, p.problem)
	}
	if !p.answered {
		return nil
	}
	for _, name := range c.events {
		if v := r.judgeEvent(c, p, name); v != nil {
			return violation(v.rule, "%s of %s: %s", name, p.body, v.text)
		}
	}
	if p.answer.S == 0 {
		if v := r.judgeUnchanged(c, p); v != nil {
			return v
		}
	}
	if p.stream != nil {
		return r.judgePart(p)
	}
	return nil
}

func (r *Record) judgeEvent(c *client, p *poll, name string) *Violation {
	value, changed := p.answer.K[name]
	if !changed && !c.precise {
		return r.judgeHold(c, p, p.cursors[name], false)
	}
	if !changed {
		if v := r.judgeOmitted(p, name); v != nil || p.comment {
			return v
		}
		return r.judgeCursor(p, name)
	}
	if r.deliveredBy(c, p, name) < 0 {
		return violation("invented", "it never had that stamp")
	}
	if !r.wasNew(c, p, name) {
		return violation("spurious", "the client had seen that stamp")
	}
	if c.precise && p.answer.At[name] != value.String() {
		return violation("cursor", "its cursor is another one")
	}
	if v := r.judgeData(c, p, name); p.data && v != nil {
		return v
	}
	return r.judgeHold(c, p, value.String(), true)
}

// judgeOmitted decides whether a precise answer lacks an event whose stamp was another one than its cursor
// all the time.
func (r *Record) judgeOmitted(p *poll, name string) *Violation {
	cursor, stamp := p.cursors[name], r.stampAfter(p.began.publications, name)
	switch {
	case stamp == 0, !strings.Contains(cursor, "."), cursor == stamp.String(),
		stamp != r.stampAfter(p.ended.publications, name),
		r.isTruncated(p, name), r.failedFor(p, p.began.at, p.ended.at.Add(1)):
		return nil
	}
	return violation("hidden", "its stamp was %v all the time, and its cursor %s", stamp, cursor)
}

// wasNew reports whether the client had not seen the stamp in the answer, by its cursor.
func (r *Record) wasNew(c *client, p *poll, name string) bool {
	cursor := p.cursors[name]
	switch {
	case strings.Contains(cursor, "."):
		return p.answer.K[name].String() != cursor
	case cursor == "now":
		return r.wasPublishedWhileWaiting(c, p, name)
	}
	t, _ := strconv.ParseInt(cursor, 10, 64)
	stamp := r.publications[r.deliveredBy(c, p, name)].stamp
	switch {
	case c.precise:
		return stamp.Second() >= t
	case stamp.Second() > t || r.wasPublishedWhileWaiting(c, p, name):
		return true
	default: // The client's clock is wrong.
		const ahead, recent = 2, 5 * time.Second
		arrival := r.arrival(p)
		return event.Stamp(t-ahead)*event.Second > arrival.Add(-r.latency) && stamp.Second() != t &&
			stamp >= arrival.Add(-recent-2*r.latency)
	}
}

// wasPublishedWhileWaiting reports whether the stamp in the answer can be that of a publication after the
// poll arrived. If in doubt, it can: a stamp of the last 20 ms before the arrival, and one that is slightly
// ahead of the first check.
func (r *Record) wasPublishedWhileWaiting(c *client, p *poll, name string) bool {
	checks := 2 * r.latency
	earliest, latest := r.arrival(p).Add(-unseen-checks), p.began.clock.Add(setAhead+checks+r.latency)
	if p.stream != nil && !p.first && p.cursors[name] == "now" {
		return true // The store had failed. The server knows more than it sent.
	}
	if _, failed := r.storeFailed(p.began.at, p.began.at.Add(checks+1)); failed {
		latest = p.ended.clock.Add(setAhead)
	}
	for i, pub := range r.publications[:p.ended.publications] {
		if pub.event == name && c.format(pub.stamp) == p.answer.K[name].String() &&
			(i >= p.began.publications || pub.stamp > earliest && pub.stamp <= latest) {
			return true
		}
	}
	return false
}

// judgeHold decides whether the answer was sent too early: a legacy answer before the second has ended that
// the client will send back, a precise answer while a later publication could still get the same stamp.
func (r *Record) judgeHold(c *client, p *poll, value string, changed bool) *Violation {
	for _, s := range r.setbacks {
		after := 2*r.latency + time.Microsecond // The clock was set back after the check had read it.
		if p.data {
			after = r.slack()
		}
		if s.isBetween(p.ended.at.Add(-after), p.ended.at) {
			return nil
		}
	}
	if c.precise {
		stamp := parseStamp(value)
		if free := stamp.Add(r.resolution(p)); stamp <= p.ended.clock && p.ended.clock < free {
			return violation("early", "%v could be given again until %v, and it was %v", stamp, free, p.ended.clock)
		}
		return nil
	}
	const ahead = 2 // seconds; the client's clock may be that wrong
	t, _ := strconv.ParseInt(value, 10, 64)
	if r.holdWasCutShort(p, t) {
		return nil
	}
	end := r.endOfSecond(t)
	if t <= p.ended.clock.Add(-2*r.latency).Second()+ahead && p.ended.clock < end {
		return violation("early", "the client will send %v, which ends at %v, and it was %v (changed: %v)", value, end,
			p.ended.clock, changed)
	}
	return nil
}

func parseStamp(cursor string) event.Stamp {
	micros, err := strconv.ParseInt(strings.Replace(cursor, ".", "", 1), 10, 64)
	if err != nil {
		panic(err)
	}
	return event.Stamp(micros)
}

// judgeCursor decides whether an unchanged event has the right cursor: the one that was sent, or for "now"
// the stamp that the event had.
func (r *Record) judgeCursor(p *poll, name string) *Violation {
	sent, next := p.cursors[name], p.answer.At[name]
	if sent != "now" {
		if next != sent {
			return violation("cursor", "its cursor was %s, and it has not changed", sent)
		}
		return nil
	}
	until := p.ended.at.Add(1)
	if _, failed := r.storeFailed(p.began.at, until); failed && next == "now" {
		return nil
	}
	withheld := r.isTruncated(p, name) || p.data && r.failedFor(p, p.began.at, until)
	if withheld && parseStamp(next) == 0 { // A stamp of the last 20 ms was new, but did not get into the answer.
		return nil
	}
	stamp := r.stampAfter(p.began.publications, name)
	if next == stamp.String() {
		return nil
	}
	for _, pub := range r.publications[p.began.publications:p.ended.publications] {
		if pub.event == name && pub.stamp.String() == next && r.wasFoundAhead(p, pub) {
			return nil
		}
	}
	return violation("cursor", "the stamp on arrival was %v", stamp)
}

// judgeUnchanged decides whether an answer without events was sent when the wait was over, and whether it
// hides a publication.
func (r *Record) judgeUnchanged(c *client, p *poll) *Violation {
	const longestHold = 8 * time.Second
	took := p.ended.at.Sub(p.began.at)
	failed := r.failedFor(p, p.began.at, p.ended.at.Add(1))
	limit := p.wait + r.slack()
	if !c.precise {
		limit += longestHold
	}
	if len(r.setbacks) > 0 { // The hold begins again.
		limit += longestHold
	}
	if failed { // The answer was held with a change, and then the data could not be read.
		limit += r.resolution(p)
	}
	mayBeEarly := r.history.maxWaiting > 0 || p.endedAfterDrain()
	if took < p.wait-transfer && !mayBeEarly || took > limit {
		return violation("unchanged", "answered after %v, with a wait of %v", took, p.wait)
	}
	for i := p.began.publications; i < p.ended.publications && !failed; i++ {
		if r.isHidden(c, p, i) {
			return violation("hidden", "publication %d", i)
		}
	}
	return nil
}

// isHidden reports whether an unchanged answer lacks a publication that was made while the poll waited. It
// may lack one of the last moments, and one in a second that has not ended.
func (r *Record) isHidden(c *client, p *poll, index int) bool {
	pub := r.publications[index]
	cursor, asked := p.cursors[pub.event]
	if !asked || pub.at.After(p.ended.at.Add(-unseen-r.slack())) || r.mayMiss(c, nil, p, index) {
		return false
	}
	stamp := r.stampAfter(p.ended.publications, pub.event)
	if !c.precise && p.ended.clock < r.endOfSecond(stamp.Second()) {
		return false
	}
	return stamp.String() != cursor && stamp != r.stampAfter(p.began.publications, pub.event)
}

// judgeData decides whether the data in the answer belongs to the stamp in the answer, or to a later
// publication.
func (r *Record) judgeData(c *client, p *poll, name string) *Violation {
	delivered := r.deliveredBy(c, p, name)
	if len(r.setbacks) > 0 { // Two publications may have the same stamp. The answer may be about the first of them.
		for delivered = 0; ; delivered++ {
			if pub := r.publications[delivered]; pub.event == name && c.format(pub.stamp) == p.answer.K[name].String() {
				break
			}
		}
	}
	data, has := p.answer.D[name]
	const writing, reading = 40 * time.Millisecond, 12 * time.Millisecond
	for i := p.ended.publications - 1; i >= 0; i-- {
		pub := r.publications[i]
		age := p.ended.at.Sub(pub.at) - 6*r.latency
		matches := has && string(data) == encode(pub.data)
		switch {
		case pub.event != name:
		case i < delivered && matches:
			return violation("stale", "%s is the data of publication %d, and %d was delivered", data, i, delivered)
		case i < delivered:
		case matches, !has && pub.data == "":
			return nil
		case !has && i > delivered && (pub.inPlace && age < writing || age < reading):
			return nil // It may have been half written.
		}
	}
	if !has {
		return violation("dataless", "publication %d has the data %q", delivered, r.publications[delivered].data)
	}
	return violation("torn", "%s was never published", data)
}

// encode returns published data as it is in an answer.
func encode(data string) string {
	if strings.HasPrefix(data, "{") {
		return data
	}
	text, err := json.Marshal(data)
	if err != nil {
		panic(fmt.Sprintf("a string cannot be JSON: %v", err))
	}
	return string(text)
}

// judgePart decides whether a stream began at once, and ended with the part with which it had to end.
func (r *Record) judgePart(p *poll) *Violation {
	age := p.ended.at.Sub(p.stream.opened)
	limit := r.history.streamEnd
	idle := p.answer.S == 0 && !p.first
	took := p.ended.at.Sub(p.began.at)
	switch {
	case p.stream.begun.Sub(p.stream.opened) > transfer:
		return violation("late", "the stream began after %v", p.stream.begun.Sub(p.stream.opened))
	case p.left, p.last && r.history.maxStreams > 0:
	case p.last && !(idle && took < p.wait) && age < limit:
		return violation("ended", "the stream ended after %v without a reason", age)
	case !p.last && (idle && took < p.wait-transfer || age >= limit):
		return violation("unended", "the stream did not end after %v", age)
	}
	return nil
}
