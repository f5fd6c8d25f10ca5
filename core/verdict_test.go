package core_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"novcomet/core"
)

// violation is a way in which a history broke the rules.
type violation struct {
	rule string // one word, the same for all of its kind
	text string
}

func (v *violation) String() string { return v.rule + ": " + v.text }

// judge returns how the rules were broken, or nil.
func (p *playback) judge() *violation {
	if p.waiting != 0 {
		return &violation{"left", fmt.Sprintf("%d polls are still in the loop", p.waiting)}
	}
	for i, c := range p.clients {
		for j, q := range c.polls {
			if broken := p.judgePoll(c, q); broken != nil {
				broken.text = fmt.Sprintf("subscriber %d, poll %d: %s", i, j, broken.text)
				return broken
			}
		}
		for index := range p.publications {
			if broken := p.judgePublication(c, index); broken != nil {
				broken.text = fmt.Sprintf("subscriber %d: %s", i, broken.text)
				return broken
			}
		}
	}
	return nil
}

// says reports whether the value of an event in an answer is that of the stamp.
func (c *client) says(value string, stamp core.Stamp) bool {
	if c.precise {
		return value == stamp.String()
	}
	return value == strconv.FormatInt(stamp.Second(), 10)
}

// told returns the index of the last publication, of those before the answer, that the answer tells of the event; -1:
// none.
func (p *playback) told(c *client, q *poll, event string) int {
	value, changed := q.answer.K[event]
	for i := q.ended.publications - 1; changed && i >= 0; i-- {
		if p.publications[i].event == event && c.says(value.String(), p.publications[i].stamp) {
			return i
		}
	}
	return -1
}

// stampAt returns the event's stamp after so many publications.
func (p *playback) stampAt(event string, publications int) core.Stamp {
	for i := publications - 1; i >= 0; i-- {
		if p.publications[i].event == event {
			return p.publications[i].stamp
		}
	}
	return 0
}

// slack is for what the looks take: one may be under way when it is time for the next, and then for one more. So may the
// reading of data, which is read again some milliseconds later where it may be half written.
func (p *playback) slack() time.Duration {
	const readAgain = 3 * 3 * time.Millisecond
	slack := 6*p.slow + time.Millisecond
	for _, c := range p.clients {
		if c.data {
			return slack + 2*readAgain
		}
	}
	return slack
}

// goneBetween reports whether the store was gone at some time from..until, and from when it could be looked at again.
func (p *playback) goneBetween(from, until time.Time) (back time.Time, gone bool) {
	return p.failedBetween(false, from, until)
}

// storeFailed reports whether it could not be looked at some time from..until, or not at the data, if the poll asks for it.
func (p *playback) storeFailed(q *poll, from, until time.Time) bool {
	_, failed := p.failedBetween(q.data, from, until)
	return failed
}

func (p *playback) failedBetween(dataToo bool, from, until time.Time) (back time.Time, gone bool) {
	for _, o := range p.outages {
		// When the store is back at the very time from, either may come first.
		if (dataToo || !o.ofData) && o.from.Before(until) && !o.until.Before(from) {
			gone = true
			if o.until.After(back) {
				back = o.until
			}
		}
	}
	return back, gone
}

// firstLook returns when the store was looked at for the poll for the first time, at the latest.
func (p *playback) firstLook(q *poll) time.Time {
	looked := q.asked.at.Add(p.slack())
	if back, gone := p.goneBetween(q.asked.at, looked); gone {
		looked = back.Add(q.sleep + p.slack())
	}
	return looked
}

// arrival returns when the poll came, by the kernel's clock as it was when the poll was first looked at.
func (p *playback) arrival(q *poll) core.Stamp {
	clock := q.asked.clock
	for _, s := range p.setbacks {
		if !s.at.Before(q.asked.at) && !s.at.After(p.firstLook(q)) {
			clock = clock.Add(-s.by)
		}
	}
	return clock
}

// String is the record of what came of the history.
func (p *playback) String() string {
	var b strings.Builder
	since := func(at time.Time) string { return fmt.Sprintf("%12v", at.Sub(start)) }
	for i, pub := range p.publications {
		fmt.Fprintf(&b, "\n  %s  publication %d: %s gets %v %q", since(pub.at), i, pub.event, relative(pub.stamp), pub.data)
		for _, at := range pub.told {
			fmt.Fprintf(&b, ", the notifier told of it at %v", at.Sub(start))
		}
	}
	for _, s := range p.setbacks {
		fmt.Fprintf(&b, "\n  %s  the clock is set back; until %s it is in the past", since(s.at), strings.TrimSpace(since(s.past)))
	}
	for i, c := range p.clients {
		fmt.Fprintf(&b, "\n  subscriber %d:", i)
		for j, q := range c.polls {
			answer := q.body
			switch {
			case answer == "":
				answer = "left"
			case q.last:
				answer += " (the end)"
			}
			for _, at := range q.process.heard {
				if j == 0 || c.polls[j-1].process != q.process {
					fmt.Fprintf(&b, "\n  %s  its notifier listens", since(at))
				}
			}
			fmt.Fprintf(&b, "\n  %s .. %s  poll %d (clock %v..%v): %v → %s", since(q.asked.at), strings.TrimSpace(since(q.ended.at)), j,
				relative(q.asked.clock), relative(q.ended.clock), q.sent, answer)
		}
	}
	return b.String()
}

// relative is a stamp after the bubble's start, beside what it is called in answers.
func relative(s core.Stamp) string {
	return fmt.Sprintf("%v (%v)", s.Sub(core.StampOf(start)), s)
}
