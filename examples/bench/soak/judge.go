package soak

import (
	"fmt"
	"slices"
	"time"
)

// judge asks for each publication each page that polls its event: was it told of it, or of a later one, and in time? And
// for each event in each answer: was it published at all?
func (s *soak) judge() *Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.newReport()
	byID := map[string][]publication{}
	for _, p := range s.publications {
		byID[p.id] = append(byID[p.id], p)
	}
	delays := map[kind][]time.Duration{}
	for _, p := range s.pages {
		delays[p.kind] = append(delays[p.kind], s.judgePage(r, p, byID)...)
		d := r.Delays[p.kind]
		d.Allowed = max(d.Allowed, seconds(s.bound(p)))
		r.Delays[p.kind] = d
	}
	for kind, all := range delays {
		if len(all) > 0 {
			slices.Sort(all)
			r.Delays[kind] = Delay{seconds(all[len(all)/2]), seconds(all[len(all)-1]), r.Delays[kind].Allowed}
		}
	}
	r.Missed = r.Never + r.Late
	return r
}

// judgePage returns how long it took to tell the page of what it was told of.
func (s *soak) judgePage(r *Report, p *page, byID map[string][]publication) (delays []time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.Repeated += len(p.lain)
	for _, o := range p.lain {
		r.Lain = max(r.Lain, seconds(o.to.Sub(o.from)))
	}
	switch {
	case p.died != nil: // From then on nobody can tell it anything.
		r.Died++
		r.tell("%s died: %v", p.name, p.died)
		return nil
	case len(p.seen) == 0:
		r.Judged, r.Never = r.Judged+1, r.Never+1
		r.tell("%s had no answer at all", p.name)
		return nil
	}
	for _, id := range p.ids {
		for _, published := range byID[id] {
			if !published.stamp.After(p.seen[id]) {
				continue
			}
			r.Judged++
			delay, ok := s.delay(p, published)
			switch {
			case !ok:
				r.Never++
				r.tell("%s was not told of %s", p.name, published)
				continue
			case delay > s.bound(p):
				r.Late++
				r.tell("%s was told of %s only after %v, at most %v were allowed", p.name, published, delay, s.bound(p))
			}
			delays = append(delays, delay)
		}
		for _, t := range p.told[id] {
			if !slices.ContainsFunc(byID[id], t.explainedBy) {
				r.Spurious++
				r.tell("%s was told of %s at %s, from %s on, but nobody had published it", p.name, id, clock(t.at), clock(t.from))
			}
		}
	}
	return delays
}

// delay returns how long after the publication, or after it came, the page was told of it or of a later one, apart from the time
// in which nobody could tell it.
func (s *soak) delay(p *page, published publication) (d time.Duration, ok bool) {
	for _, t := range p.told[published.id] {
		if t.covers(published.stamp) {
			from := published.stamp
			if p.joined.After(from) {
				from = p.joined
			}
			return max(0, t.at.Sub(from)-s.deaf(p, from, t.at)), true
		}
	}
	return 0, false
}

// explainedBy reports whether what the page was told can be this publication: its process or request had been going on
// at that time. The kernel may take the time of its last tick for a stamp.
func (t told) explainedBy(p publication) bool {
	const tick = 10 * time.Millisecond
	return !t.again && !t.to.Before(p.begin.Add(-tick)) && !t.from.After(p.end.Add(tick)) && !p.end.Before(t.since)
}

func (p publication) String() string {
	return fmt.Sprintf("%s, published by %s at %s", p.id, p.way, clock(p.stamp))
}

func clock(t time.Time) string { return t.Format("15:04:05.000000") }
