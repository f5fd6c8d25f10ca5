package sim

import (
	"fmt"
	"strings"
	"time"

	"novcomet/core/event"
)

// deliveredBy returns the index of the last publication of the event that the answer can be about; -1: the
// answer is not about the event, or no publication before the answer had that stamp.
func (r *Record) deliveredBy(c *client, p *poll, name string) int {
	value, changed := p.answer.K[name]
	for i := p.ended.publications - 1; changed && i >= 0; i-- {
		if pub := r.publications[i]; pub.event == name && c.format(pub.stamp) == value.String() {
			return i
		}
	}
	return -1
}

// stampAfter returns the event's stamp after the first n publications.
func (r *Record) stampAfter(n int, name string) event.Stamp {
	for i := n - 1; i >= 0; i-- {
		if r.publications[i].event == name {
			return r.publications[i].stamp
		}
	}
	return 0
}

// slack returns how late an answer can be because checks take time. One may be under way when the next is
// due, and one more may follow. The same goes for the reading of data, which is repeated after some
// milliseconds if it may be half written.
func (r *Record) slack() time.Duration {
	const repeated = 3 * 3 * time.Millisecond
	slack := 6*r.latency + time.Millisecond
	for _, c := range r.clients {
		if c.data {
			return slack + 2*repeated
		}
	}
	return slack
}

// resolution returns the age from which a stamp can be delivered to a precise client.
func (r *Record) resolution(p *poll) time.Duration {
	timing := r.Timing()
	if p.data {
		return max(timing.Resolution, timing.Write)
	}
	return max(timing.Resolution, time.Microsecond)
}

// endOfSecond returns when no later publication can get a stamp in the second t.
func (r *Record) endOfSecond(t int64) event.Stamp {
	end := event.Stamp(t+1) * event.Second
	return end.Add(r.Timing().Lag)
}

// storeFailed reports whether the store was unreachable at some time between from and until, and since when
// it was back.
func (r *Record) storeFailed(from, until time.Time) (back time.Time, failed bool) {
	return r.partFailed(false, from, until)
}

// failedFor does the same for what the poll needs: also the store's data, if it asks for data.
func (r *Record) failedFor(p *poll, from, until time.Time) bool {
	_, failed := r.partFailed(p.data, from, until)
	return failed
}

func (r *Record) partFailed(data bool, from, until time.Time) (back time.Time, failed bool) {
	for _, o := range r.outages {
		// An outage that ends at the very time from may end before or after what else happens then.
		if (data || o.part == wholeStore) && o.from.Before(until) && !o.until.Before(from) {
			failed = true
			if o.until.After(back) {
				back = o.until
			}
		}
	}
	return back, failed
}

// firstCheck returns the latest time at which the store was first checked for the poll.
func (r *Record) firstCheck(p *poll) time.Time {
	checked := p.began.at.Add(r.slack())
	if back, failed := r.storeFailed(p.began.at, checked); failed {
		checked = back.Add(p.sleep + r.slack())
	}
	return checked
}

// arrival returns when the poll arrived, by the kernel's clock as it was at the first check.
func (r *Record) arrival(p *poll) event.Stamp {
	clock := p.began.clock
	for _, s := range r.setbacks {
		if s.isBetween(p.began.at, r.firstCheck(p)) {
			clock = clock.Add(-s.by)
		}
	}
	return clock
}

func (s setback) isBetween(from, until time.Time) bool {
	return !s.at.Before(from) && !s.at.After(until)
}

// hadStampAhead reports whether, before the poll ended, a stamp was ahead of the clock.
func (r *Record) hadStampAhead(p *poll) bool {
	for _, s := range r.setbacks {
		if s.at.Before(p.ended.at) {
			return true
		}
	}
	for _, pub := range r.publications[:p.ended.publications] {
		if pub.stamp > pub.clock.Add(unseen) {
			return true
		}
	}
	return false
}

// isTruncated reports whether the answer may have had no room for the event.
func (r *Record) isTruncated(p *poll, name string) bool {
	_, changed := p.answer.K[name]
	return r.history.maxAnswerData > 0 && p.data && len(p.answer.K) > 0 && !changed
}

// endedAfterDrain reports whether the poll was answered by a process that was about to end.
func (p *poll) endedAfterDrain() bool {
	return !p.process.drained.IsZero() && !p.ended.at.Before(p.process.drained)
}

// String returns all that happened.
func (r *Record) String() string {
	var b strings.Builder
	since := func(at time.Time) string { return fmt.Sprintf("%12v", at.Sub(start)) }
	for i, pub := range r.publications {
		fmt.Fprintf(&b, "\n  %s  publication %d: %s gets %v %q",
			since(pub.at), i, pub.event, relative(pub.stamp), pub.data)
		for _, at := range pub.notified {
			fmt.Fprintf(&b, ", notified at %v", at.Sub(start))
		}
	}
	for _, s := range r.setbacks {
		fmt.Fprintf(&b, "\n  %s  the clock is set back by %v; the second ends again at %v",
			since(s.at), s.by, s.over.Sub(start))
	}
	for i, c := range r.clients {
		fmt.Fprintf(&b, "\n  client %d:", i)
		for j, p := range c.polls {
			answer := p.body
			switch {
			case answer == "":
				answer = "aborted"
			case p.last:
				answer += " (the end)"
			}
			if j == 0 || c.polls[j-1].process != p.process {
				for _, at := range p.process.watched {
					fmt.Fprintf(&b, "\n  %s  the process watches", since(at))
				}
			}
			fmt.Fprintf(&b, "\n  %s to %v  poll %d (clock %v to %v): %v → %s",
				since(p.began.at), p.ended.at.Sub(start), j,
				relative(p.began.clock), relative(p.ended.clock), p.cursors, answer)
		}
	}
	return b.String()
}

// relative returns a stamp relative to the start, and as answers have it.
func relative(s event.Stamp) string {
	return fmt.Sprintf("%v (%v)", s.Sub(event.StampOf(start)), s)
}
