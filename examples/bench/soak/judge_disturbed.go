package soak

import (
	"slices"
	"strings"
	"time"
)

// What the kinds of disturbances can do.
var (
	// suspends: while it lasts, nothing need be delivered.
	suspends = []string{
		"restart", "kill", "stop comet-fcgi", "descriptors", "stop worker", "worker descriptors", "away", "replaced",
		"overflow", "hang", "stop store", "failover", "move", "memcached",
	}
	// fails: requests can get an error.
	fails = []string{"kill", "descriptors", "worker descriptors", cut}
	// failsPublishing: publications can fail, or their stamp cannot be read.
	failsPublishing = append([]string{
		"full", "read-only", "away", "replaced", "hang", "stop store", "failover", "move", "memcached", "flush",
	}, fails...)
	// loses: the store can forget what was published. The manuals of the stores say so.
	loses = []string{"flush", "failover", "memcached"}
	// unreachable: a legacy page can miss what was published shortly before. core/README.md says so.
	unreachable = []string{"away", "replaced", "hang", "stop store"}
)

// clockKind is the kind of a clock that is set forward, and in the end back. A legacy page can miss what is
// published until the second of the change has passed again, and an answer is held for up to 8 s.
const clockKind = "clock"

func (d *disturbed) endsFor() micros {
	const hold = 8 * time.Second
	if d.Kind == clockKind {
		return d.End + d.Ahead + toMicros(hold)
	}
	return d.End
}

func (d *disturbed) affects(id string, from, to micros) bool {
	targeted := d.Kind != clockKind || d.Target == "" || slices.Contains(strings.Split(d.Target, ","), id)
	return targeted && d.Start <= to && d.endsFor() >= from
}

// anyLocked reports whether a disturbance of one of the kinds was in a time.
func (h *History) anyLocked(kinds []string, id string, from, to micros) bool {
	return slices.ContainsFunc(h.disturbances, func(d *disturbed) bool {
		return slices.Contains(kinds, d.Kind) && d.affects(id, from, to)
	})
}

func (h *History) clockLocked(id string, from, to micros) bool {
	return h.anyLocked([]string{clockKind}, id, from, to)
}

// aheadLocked returns how far the clock was ahead in a time: not at all, or as far as a disturbance says.
func (h *History) aheadLocked(from, to micros) []micros {
	ahead := []micros{0}
	for _, d := range h.disturbances {
		if d.Kind == clockKind && d.Start <= to && d.End >= from {
			ahead = append(ahead, d.Ahead)
		}
	}
	return ahead
}

// excuseLocked returns the reason why a page may miss a publication that was due at a time: the kind of a
// disturbance in between.
func (h *History) excuseLocked(s *subscription, published, due micros) string {
	kinds := slices.Clone(loses)
	if s.page.Kind == legacy {
		kinds = append(append(kinds, clockKind), unreachable...)
	}
	for _, kind := range kinds {
		if h.anyLocked([]string{kind}, s.id, published, due) {
			return kind
		}
	}
	return ""
}

// lostLocked reports whether a page can get an older stamp than it has: the store has lost the later one, or
// the clock was set back.
func (h *History) lostLocked(s *subscription, p *pollRecord) bool {
	const before = 30 * time.Second
	return h.anyLocked(append([]string{clockKind}, loses...), s.id, p.Sent-toMicros(before), p.At)
}

// pausesLocked returns the times that do not count for a page, in order and without overlaps: disturbances,
// and those in which the web server did not read the page's poll. (A reloaded Apache leaves a request unread
// that arrives on a kept connection just then. It closes the connection some seconds later, and the browser
// sends the request again.)
func (h *History) pausesLocked(s *subscription, from, to micros) (pauses []disturbed) {
	var all []disturbed
	for _, d := range h.disturbances {
		if slices.Contains(suspends, d.Kind) && d.End > from && d.Start < to {
			all = append(all, disturbed{Start: d.Start, End: d.End})
		}
	}
	for _, p := range s.polls {
		if p.Resent > from && p.Sent < to {
			all = append(all, disturbed{Start: p.Sent, End: p.Resent})
		}
	}
	slices.SortFunc(all, func(a, b disturbed) int { return int(a.Start - b.Start) })
	for _, d := range all {
		d.Start, d.End = max(d.Start, from), min(d.End, to)
		if d.End > d.Start {
			pauses = append(pauses, d)
			from = d.End
		}
	}
	return pauses
}

// undisturbedLocked returns how much of a time counts.
func (h *History) undisturbedLocked(s *subscription, from, to micros) micros {
	counts := max(0, to-from)
	for _, d := range h.pausesLocked(s, from, to) {
		counts -= d.End - d.Start
	}
	return counts
}

// dueLocked returns when the time that counts is over, but at most until.
func (h *History) dueLocked(s *subscription, from, allowed, until micros) micros {
	for _, d := range h.pausesLocked(s, from, until) {
		if d.Start-from > allowed {
			break
		}
		allowed -= d.Start - from
		from = d.End
	}
	return min(from+allowed, until)
}

// judgeErrorLocked asks whether a disturbance explains that a poll failed, and that a page of comet.php ended.
func (h *History) judgeErrorLocked(r *Report, p *pollRecord, kind kind) {
	const afterwards = 2 * time.Second
	r.Answers++
	if p.Resent > 0 {
		r.Resent++
		r.Unread = max(r.Unread, (p.Resent - p.Sent).duration().Seconds())
	}
	if p.Error == "" {
		return
	}
	name := "polling " + string(kind) + ": " + p.Error
	explained := (kind == legacy || !p.Ended) && h.anyLocked(fails, "", p.Sent-toMicros(afterwards), p.At)
	switch {
	case explained && p.Ended:
		r.Closed[p.Error]++
	case explained:
		r.Failed[name]++
	default:
		r.Errors[name]++
		r.detail("page %d (%s), sent at %v, failed at %v: %s", p.Page, kind, p.Sent, p.At, p.Error)
		if p.Ended {
			r.Ended++
		}
	}
}

// judgePublisherLocked asks whether a disturbance explains that a publication failed, or left no trace.
func (h *History) judgePublisherLocked(r *Report, p *publication) {
	const afterwards = 2 * time.Second
	r.Publications[p.Way]++
	name := "publishing by " + p.Way + ": " + p.Error
	if p.Error == "" && !p.happened() {
		name = "publishing by " + p.Way + ": the stamp is an old one"
	}
	switch {
	case p.happened():
	case h.anyLocked(failsPublishing, p.ID, p.Start-toMicros(afterwards), p.End):
		r.Failed[name]++
	default:
		r.Errors[name]++
		r.detail("%s failed from %v to %v: %s", p, p.Start, p.End, p.Error)
	}
}
