package soak

import (
	"slices"
	"time"
)

// judge asks for each publication each page with its event: did it get this publication or a later one, in
// time? And for each delivery: was there a publication?
func (s *soak) judge() *Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.newReportLocked()
	byID := map[string][]publication{}
	for _, p := range s.publications {
		byID[p.id] = append(byID[p.id], p)
	}
	delays := map[kind][]time.Duration{}
	for _, p := range s.pages {
		delays[p.kind] = append(delays[p.kind], s.judgePageLocked(r, p, byID)...)
		d := r.Delays[p.kind]
		d.Allowed = max(d.Allowed, s.allowed(p).Seconds())
		r.Delays[p.kind] = d
	}
	for kind, all := range delays {
		if len(all) > 0 {
			slices.Sort(all)
			r.Delays[kind] = Delay{all[len(all)/2].Seconds(), all[len(all)-1].Seconds(), r.Delays[kind].Allowed}
		}
	}
	r.Missed = r.Never + r.Late
	return r
}

// judgePageLocked returns the delay of each delivery that was expected.
func (s *soak) judgePageLocked(r *Report, p *page, byID map[string][]publication) (delays []time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.Resent += len(p.unread)
	for _, g := range p.unread {
		r.Unread = max(r.Unread, g.to.Sub(g.from).Seconds())
	}
	switch {
	case p.ended != nil: // It cannot get anything any more.
		r.Ended++
		r.detail("%s ended: %v", p.name, p.ended)
		return nil
	case len(p.known) == 0:
		r.Expected, r.Never = r.Expected+1, r.Never+1
		r.detail("%s got no answer at all", p.name)
		return nil
	}
	for _, id := range p.ids {
		for _, published := range byID[id] {
			if !published.stamp.After(p.known[id]) {
				continue
			}
			r.Expected++
			delay, ok := s.delayLocked(p, published)
			switch {
			case !ok:
				r.Never++
				r.detail("%s never got %s", p.name, published)
				continue
			case delay > s.allowed(p):
				r.Late++
				r.detail("%s got %s too late, after %v; %v are allowed", p.name, published, delay, s.allowed(p))
			}
			delays = append(delays, delay)
		}
		for _, d := range p.deliveries[id] {
			if !slices.ContainsFunc(byID[id], d.explainedBy) {
				r.Spurious++
				r.detail("%s got %s at %s, with a stamp from %s on, which nobody had published",
					p.name, id, clock(d.at), clock(d.from))
			}
		}
	}
	return delays
}

// delayLocked returns the time from the publication, or from when the page joined, to its delivery or that of
// a later one, without the time that is excused.
func (s *soak) delayLocked(p *page, published publication) (d time.Duration, ok bool) {
	for _, delivery := range p.deliveries[published.id] {
		if delivery.covers(published.stamp) {
			from := published.stamp
			if p.joined.After(from) {
				from = p.joined
			}
			return max(0, delivery.at.Sub(from)-s.excusedLocked(p, from, delivery.at)), true
		}
	}
	return 0, false
}

// explainedBy reports whether the delivery can mean this publication, whose process or request must have run
// at its stamp. The kernel may take the time of its last tick as the stamp.
func (d delivery) explainedBy(p publication) bool {
	const tick = 10 * time.Millisecond
	return !d.again && !d.to.Before(p.begin.Add(-tick)) && !d.from.After(p.end.Add(tick)) && !p.end.Before(d.since)
}

// allowed returns how long after a publication the page may get it, or a later one. It is the promise of
// core/doc.go:
//
//   - A legacy page does not poll for 1 s after each answer.
//   - It gets a stamp when that second has ended, up to 2 s after the publication. If its clock is ahead, its
//     first cursor is, too, by up to 1 s more.
//   - comet-fcgi notices a change at once. A comet.cgi does so only while its user has inotify instances left
//     (128), and otherwise checks once every sleep.
//   - The slack is for a busy machine.
func (s *soak) allowed(p *page) time.Duration {
	allowed := s.options.Slack
	if !s.notifies {
		allowed += sleep
	}
	if p.kind == legacy {
		allowed += legacyPause + 2*time.Second
		if p.ahead > 0 {
			allowed += time.Second
		}
	}
	return allowed
}

// excusedLocked returns how much of a time does not count, because comet-fcgi was restarted or the web server
// did not read the page's poll: a reloaded Apache leaves a request unread that arrives on a kept connection
// just then. It closes the connection some seconds later, and the browser sends the request again.
func (s *soak) excusedLocked(p *page, from, to time.Time) (d time.Duration) {
	gaps := slices.Concat(s.restarts, p.unread)
	slices.SortFunc(gaps, func(a, b gap) int { return a.from.Compare(b.from) })
	for _, g := range gaps { // They may overlap; what has been counted is before from.
		if g.from.After(from) {
			from = g.from
		}
		if g.to.After(to) {
			g.to = to
		}
		if g.to.After(from) {
			d += g.to.Sub(from)
			from = g.to
		}
	}
	return d
}

func clock(t time.Time) string { return t.Format("15:04:05.000000") }
