package soak

import (
	"slices"
	"strings"
)

// What the kinds of disturbances can do.
var (
	// suspends: while it lasts, nothing need be delivered.
	suspends = []string{
		"restart", "kill", "stop comet-fcgi", "descriptors", stopWorker, "worker descriptors", "away", "replaced",
		"overflow", "hang", "stop store", "failover", "move", "memcached",
	}
	// endsEarly: polls can be answered unchanged, and streams end, before their time.
	endsEarly = []string{"restart", "kill"}
	// fails: requests can get an error.
	fails = []string{"kill", "descriptors", "worker descriptors", stopWorker, cut}
	// failsPublishing: publications can fail, or their stamp cannot be read.
	failsPublishing = append([]string{
		"full", "read-only", "away", "replaced", "hang", "stop store", "failover", "move", "memcached", "flush",
	}, fails...)
	// loses: the store can forget what was published. The manuals of the stores say so.
	loses = []string{"flush", "failover", "memcached"}
	// losesLegacy: a legacy page can miss what was published. core/README.md says so.
	losesLegacy = append(slices.Clone(loses), clockKind, "away", "replaced", "hang", "stop store")
	// setsBack: a later stamp can be an older one.
	setsBack = append(slices.Clone(loses), clockKind)
	clock    = []string{clockKind}
)

// clockKind is the kind of a clock that is set forward, and in the end back. A legacy page can miss what is
// published until the second of the change has passed again, and an answer is held for up to 8 s.
const clockKind = "clock"

// requestTimeout is how long comet-fcgi waits for a request. If the web server is stopped for longer after it
// has connected, the request fails; otherwise not.
const requestTimeout = 10 * second

// during reports whether a disturbance of one of the kinds was in a time, and can affect the event.
func (h *History) during(kinds []string, id string, from, to micros) bool {
	return slices.ContainsFunc(h.Disturbances, func(d *disturbanceRecord) bool {
		end, elsewhere := d.End, false
		if d.Kind == clockKind {
			end += d.Ahead + hold
			elsewhere = d.Target != "" && !slices.Contains(strings.Split(d.Target, ","), id)
		}
		if d.Kind == stopWorker && d.End-d.Start < requestTimeout {
			return false
		}
		return slices.Contains(kinds, d.Kind) && d.Start <= to && end >= from && !elsewhere
	})
}

// ahead returns how far the clock was ahead in a time: not at all, or as far as a disturbance says.
func (h *History) ahead(from, to micros) []micros {
	ahead := []micros{0}
	for _, d := range h.Disturbances {
		if d.Kind == clockKind && d.Start <= to && d.End >= from {
			ahead = append(ahead, d.Ahead)
		}
	}
	return ahead
}

// excuse returns the reason why the page may miss a publication that was due at a time: the kind of a
// disturbance in between.
func (s *subscription) excuse(published, due micros) string {
	kinds := loses
	if s.page.Kind == legacy {
		kinds = losesLegacy
	}
	for _, kind := range kinds {
		if s.during([]string{kind}, published, due) {
			return kind
		}
	}
	return ""
}

// passed returns how much of a time counts, and when the allowed time was over. Disturbances do not count,
// nor does the time in which the web server did not read one of the page's polls. (A reloaded Apache leaves a
// request unread that arrives on a kept connection just then. It closes the connection some seconds later,
// and the browser sends the request again.)
func (h *History) passed(polls []*pollRecord, from, to, allowed micros) (counts, due micros) {
	type pause struct{ start, end micros }
	pauses := []pause{{to, to}}
	for _, d := range h.Disturbances {
		if slices.Contains(suspends, d.Kind) {
			pauses = append(pauses, pause{d.Start, d.End})
		}
	}
	for _, p := range polls {
		if p.Resent > 0 {
			pauses = append(pauses, pause{p.Sent, p.Resent})
		}
	}
	slices.SortFunc(pauses, func(a, b pause) int { return int(a.start - b.start) })
	due = to
	for _, p := range pauses {
		if length := min(p.start, to) - from; length > 0 {
			if counts <= allowed && counts+length > allowed {
				due = from + allowed - counts
			}
			counts, from = counts+length, from+length
		}
		from = max(from, min(p.end, to))
	}
	return counts, due
}
