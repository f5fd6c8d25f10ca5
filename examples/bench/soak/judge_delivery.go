package soak

import "slices"

// delivery is one event in one answer.
type delivery struct {
	poll     *pollRecord
	from, to micros // the stamps that it can mean: those of a second, or a single one
	cursor   micros // the last stamp that the cursor of the poll means
	data     string
}

// judgeDeliveries asks for each delivery: was there such a publication, is it later than what the page had,
// and is the data of that publication, or of a later one?
func (s *subscription) judgeDeliveries() {
	var before micros
	for _, d := range s.deliveries {
		if !slices.ContainsFunc(s.published, func(p *publication) bool { return s.explains(d, p) }) {
			s.fault(&s.r.Invented, "got at %v a stamp from %v on, which nobody had published", d.poll.At, d.from)
		}
		again := false
		if s.page.Kind != legacy { // The first cursor of a legacy page is of its own clock.
			before, again = d.cursor, d.to == d.cursor
		}
		if again || d.to+tick < before && !s.during(setsBack, d.poll.Sent-30*second, d.poll.At) {
			s.fault(&s.r.Disordered, "got at %v the stamp %v, and had %v", d.poll.At, d.to, before)
		}
		before = d.to
		if d.poll.Data && s.page.Kind != legacy {
			s.judgeData(d)
		}
	}
}

// explains reports whether the delivery can mean this publication, which must have run at its stamp. A legacy
// page gets a second again only if something was published after its last answer.
func (s *subscription) explains(d delivery, p *publication) bool {
	const near = 100 // A publication without a clock of its own takes the next microsecond.
	if s.page.Kind == legacy && d.to <= d.cursor && p.latest() < d.poll.Sent-second &&
		!s.during(clock, d.poll.Sent, d.poll.At) {
		return false
	}
	return p.Stamp+near >= d.from && p.Stamp-near <= d.to ||
		slices.ContainsFunc(s.ahead(p.Start, p.latest()), func(ahead micros) bool {
			return d.to >= p.Start-tick+ahead && d.from <= p.latest()+tick+ahead
		})
}

// judgeData asks whether the data of a delivery was published, and not before the data that belongs to the
// stamp.
func (s *subscription) judgeData(d delivery) {
	var newest, source *publication // newest has data, and is certainly not after the stamp
	for _, p := range s.published {
		if p.Data == nil {
			continue
		}
		if p.happened() && p.Stamp <= d.to && (newest == nil || p.Start > newest.Start) &&
			!s.during(clock, p.Start, d.poll.At) {
			newest = p
		}
		if source == nil && *p.Data == d.data && p.Start <= d.poll.At {
			source = p
		}
	}
	forgotten := newest == nil || s.during(loses, newest.Start, d.poll.At)
	switch {
	case d.data == "":
		if !forgotten && !s.mayLackData(d, newest) {
			s.fault(&s.r.Torn, "got at %v the stamp %v without data, and %s had data", d.poll.At, d.to, newest)
		}
	case source == nil:
		s.fault(&s.r.Torn, "got at %v the data %.100q, which nobody had published", d.poll.At, d.data)
	case !forgotten && source.latest() < newest.Start:
		s.fault(&s.r.Stale, "got at %v with %v the data of %s, and %s was later", d.poll.At, d.to, source, newest)
	}
}

// mayLackData reports whether the event may have had no data: a program was writing the file, or failed to.
// The previous release, 0.1.0, left data out if it had no descriptor.
func (s *subscription) mayLackData(d delivery, newest *publication) bool {
	if slices.ContainsFunc(s.Disturbances, func(o *disturbanceRecord) bool {
		return o.Kind == "descriptors" && o.Target == previousRelease && o.Start <= d.poll.At && o.End >= d.poll.At-second
	}) {
		return true
	}
	return slices.ContainsFunc(s.published, func(p *publication) bool {
		inPlace := p.Way == "rewriting" || p.Way == "two at once"
		return inPlace && p.Start <= d.poll.At &&
			(p.End >= d.poll.At-second || p.Error != "" && p.End >= newest.Start)
	})
}
