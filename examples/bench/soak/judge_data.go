package soak

import (
	"slices"
	"strings"
	"time"
)

// judgeDataLocked asks whether the data of a delivery was published, and not before the data that belongs to
// the stamp.
func (h *History) judgeDataLocked(r *Report, s *subscription, d delivery) {
	var newest *publication // with data, and certainly not after the stamp
	for _, p := range s.publications {
		if p.Data != nil && p.happened() && p.Stamp <= d.to && !h.clockLocked(s.id, p.Start, d.poll.At) &&
			(newest == nil || p.Start > newest.Start) {
			newest = p
		}
	}
	if d.data == "" {
		if newest != nil && !h.mayLackDataLocked(s, d, newest) {
			r.Torn++
			r.detail("%s got at %v the stamp %v without data, and %s had data", s, d.poll.At, d.to, newest)
		}
		return
	}
	i := slices.IndexFunc(s.publications, func(p *publication) bool {
		return p.Data != nil && *p.Data == d.data && p.Start <= d.poll.At
	})
	switch {
	case i < 0:
		r.Torn++
		r.detail("%s got at %v the data %.100q, which nobody had published", s, d.poll.At, d.data)
	case newest != nil && s.publications[i].mayHaveEnded() < newest.Start &&
		!h.anyLocked(loses, s.id, newest.Start, d.poll.At):
		r.Stale++
		r.detail("%s got at %v with the stamp %v the data of %s, and %s was later", s, d.poll.At, d.to, s.publications[i], newest)
	}
}

// mayLackDataLocked reports whether the event may have had no data: the store forgot it, comet-fcgi could not
// read the file, or a program was writing the file, or failed to.
func (h *History) mayLackDataLocked(s *subscription, d delivery, newest *publication) bool {
	const recently = time.Second
	if h.anyLocked(loses, s.id, newest.Start, d.poll.At) ||
		h.anyLocked([]string{"descriptors"}, s.id, d.poll.At-toMicros(recently), d.poll.At) {
		return true
	}
	return slices.ContainsFunc(s.publications, func(p *publication) bool {
		inPlace := p.Way == "rewriting" || strings.HasPrefix(p.Way, "two")
		return inPlace && p.Start <= d.poll.At &&
			(p.End >= d.poll.At-toMicros(recently) || p.Error != "" && p.End >= newest.Start)
	})
}
