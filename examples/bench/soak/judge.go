package soak

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tick is the longest step of the kernel's coarse clock, which file times are read from.
const tick = micros(10_000)

// longestAllowed is how long comet.php's client may wait at most, without a disturbance: its pause, 2 s, and
// 1 s if its clock is ahead.
const longestAllowed = legacyPause + 3*time.Second

// delivery is one event in one answer.
type delivery struct {
	poll     *pollRecord
	from, to micros // the stamps that it can mean: those of a second, or a single one
	cursor   micros // the cursor of the poll: its last stamp
	data     string
}

// subscription is one event of a page.
type subscription struct {
	page         *pageRecord
	id           string
	joined       micros // when the page asked for the first cursor, or with its first one
	known        micros // the stamp up to which the page knew everything then
	knownAt      micros // when a precise page was answered with that; 0: not yet
	deliveries   []delivery
	publications []*publication
	polls        []*pollRecord // of the page
}

// judge judges the history. judge.py does the same, and shares nothing with it.
func (h *History) judge() *Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := newReport(h)
	kinds := map[int]kind{}
	for _, page := range h.pages {
		kinds[page.Page] = page.Kind
	}
	polls := map[int][]*pollRecord{}
	for _, p := range h.polls {
		polls[p.Page] = append(polls[p.Page], p)
		h.judgeErrorLocked(r, p, kinds[p.Page])
	}
	publications := map[string][]*publication{}
	for _, p := range h.publications {
		publications[p.ID] = append(publications[p.ID], p)
		h.judgePublisherLocked(r, p)
	}
	for _, page := range h.pages {
		for _, id := range page.IDs {
			s := h.subscriptionLocked(r, page, id, polls[page.Page])
			s.publications = publications[id]
			for _, d := range s.deliveries {
				h.judgeDeliveryLocked(r, s, d)
			}
			h.judgeLossesLocked(r, s)
		}
	}
	r.finish()
	return r
}

// subscriptionLocked reads the answers of a page about one event.
func (h *History) subscriptionLocked(r *Report, page *pageRecord, id string, polls []*pollRecord) *subscription {
	s := &subscription{page: page, id: id, polls: polls}
	for _, p := range polls {
		cursor, _ := lastStamp(p.Cursors[id])
		if page.Kind == legacy && s.joined == 0 {
			s.joined, s.known, s.knownAt = p.Sent, cursor, p.Sent
		}
		var answer struct {
			K  map[string]json.Number
			At map[string]string
			D  map[string]json.RawMessage
		}
		if p.Error != "" || json.Unmarshal([]byte(p.Answer), &answer) != nil {
			continue
		}
		if at, ok := lastStamp(answer.At[id]); ok && s.knownAt == 0 {
			s.joined, s.known, s.knownAt = p.Sent, at, p.At
		}
		if stamp, ok := answer.K[id]; ok {
			d := delivery{poll: p, cursor: cursor, data: string(answer.D[id])}
			d.to, _ = lastStamp(stamp.String())
			if d.from = d.to; page.Kind == legacy {
				d.from -= micros(time.Second/time.Microsecond) - 1
			}
			s.deliveries = append(s.deliveries, d)
		}
	}
	return s
}

// lastStamp returns the last stamp that a cursor means: a precise one, or the end of a second.
func lastStamp(cursor string) (stamp micros, ok bool) {
	seconds, fraction, isPrecise := strings.Cut(cursor, ".")
	if !isPrecise {
		fraction = "999999"
	}
	n, err := strconv.ParseInt(seconds+fraction, 10, 64)
	return micros(n), err == nil
}

// judgeLossesLocked asks for each publication: did the page get this publication or a later one, in time?
func (h *History) judgeLossesLocked(r *Report, s *subscription) {
	end := h.settings.End
	if end == 0 {
		end = now() // The run goes on.
	}
	var last *pollRecord
	if len(s.polls) > 0 {
		if last = s.polls[len(s.polls)-1]; last.Ended {
			end = last.At
		}
	}
	allowed := h.allowed(s.page)
	for _, p := range s.publications {
		// Only what was certainly published counts.
		if !p.happened() || s.knownAt == 0 || p.Start > end || !h.isNewLocked(s, p) {
			continue
		}
		from := max(p.when(), s.joined)
		i := slices.IndexFunc(s.deliveries, func(d delivery) bool { return h.coversLocked(s, d, p) })
		until := end
		if i >= 0 {
			until = s.deliveries[i].poll.At
		}
		delay := h.undisturbedLocked(s, from, until)
		if i < 0 && delay <= allowed && last != nil && last.Ended {
			continue // The page ended too early for this.
		}
		r.Expected++
		reason := ""
		if i < 0 || delay > allowed {
			reason = h.excuseLocked(s, p.Start, h.dueLocked(s, from, allowed, until))
		}
		switch {
		case reason != "":
			r.Excused[reason]++
			r.detail("%s may have missed %s because of %s", s, p, reason)
		case i < 0:
			r.Never++
			r.detail("%s never got %s", s, p)
		case delay > allowed:
			r.Late++
			r.detail("%s got %s too late, at %v, after %v; %v are allowed", s, p, until, delay.duration(), allowed.duration())
		}
		if i >= 0 {
			r.delays[s.page.Kind] = append(r.delays[s.page.Kind], delay)
		}
	}
	if s.knownAt == 0 && h.undisturbedLocked(s, firstSent(s.polls, end), end) > allowed {
		r.Never++
		r.Expected++
		r.detail("%s never got a cursor", s)
	}
}

// isNewLocked reports whether a page did not know of a publication when it joined.
func (h *History) isNewLocked(s *subscription, p *publication) bool {
	if s.page.Kind == legacy {
		return p.Stamp > s.known
	}
	return p.Start > s.knownAt ||
		p.Stamp > s.known && !h.anyLocked(append([]string{clockKind}, loses...), s.id, p.Start, s.knownAt)
}

// firstSent returns when a page sent its first poll that was answered or failed.
func firstSent(polls []*pollRecord, end micros) micros {
	if len(polls) == 0 {
		return end
	}
	return polls[0].Sent
}

// happened reports whether the publication certainly happened.
func (p *publication) happened() bool { return p.Error == "" && p.Stamp >= p.Start-tick }

// when returns the time of the publication by the clock of the soak.
func (p *publication) when() micros { return min(max(p.Stamp, p.Start), p.End) }

// mayHaveEnded returns the latest time at which the publication happened. If it failed, a server can have read
// it later.
func (p *publication) mayHaveEnded() micros {
	const later = 30 * time.Second
	if p.Error != "" {
		return p.End + toMicros(later)
	}
	return p.End
}

// coversLocked reports whether the page knows of the publication by this delivery. A second covers only what
// was published before the answer came. If the clock was set, stamps have no order; then it counts when a
// publisher has found the stamp.
func (h *History) coversLocked(s *subscription, d delivery, p *publication) bool {
	if s.page.Kind == legacy {
		return p.Stamp <= d.to && p.when() <= d.poll.At
	}
	if d.poll.At < p.Start {
		return false
	}
	if d.to >= p.Stamp && !h.clockLocked(s.id, p.Start, d.poll.At) {
		return true
	}
	return slices.ContainsFunc(s.publications, func(other *publication) bool {
		return other.Stamp == d.to && other.End >= p.Start
	})
}

// judgeDeliveryLocked asks: was there such a publication, is it later than what the page had, and is the data
// of that publication, or of a later one?
func (h *History) judgeDeliveryLocked(r *Report, s *subscription, d delivery) {
	if !slices.ContainsFunc(s.publications, func(p *publication) bool { return h.explainsLocked(s, d, p) }) {
		r.Invented++
		r.detail("%s got at %v a stamp from %v on, which nobody had published", s, d.poll.At, d.from)
	}
	before := d.cursor
	if s.page.Kind == legacy { // Its first cursor is of its own clock.
		before = 0
		for _, other := range s.deliveries {
			if other.poll.At < d.poll.At {
				before = other.to
			}
		}
	}
	if d.to+tick < before || s.page.Kind != legacy && d.to == d.cursor {
		if !h.lostLocked(s, d.poll) || d.to == d.cursor {
			r.Disordered++
			r.detail("%s got at %v the stamp %v, and had %v", s, d.poll.At, d.to, before)
		}
	}
	if d.poll.Data && s.page.Kind != legacy {
		h.judgeDataLocked(r, s, d)
	}
}

// explainsLocked reports whether the delivery can mean this publication, which must have run at its stamp. A
// legacy page gets the second that it knows again only for what was published after its last answer.
func (h *History) explainsLocked(s *subscription, d delivery, p *publication) bool {
	const near = 100 // A publication without a clock of its own takes the next microsecond.
	const justBefore = time.Second
	end := p.mayHaveEnded()
	if s.page.Kind == legacy && d.to <= d.cursor && end < d.poll.Sent-toMicros(justBefore) &&
		!h.clockLocked(s.id, d.poll.Sent, d.poll.At) {
		return false
	}
	if p.Stamp+near >= d.from && p.Stamp-near <= d.to {
		return true
	}
	for _, ahead := range h.aheadLocked(p.Start, end) {
		if d.to >= p.Start-tick+ahead && d.from <= end+tick+ahead {
			return true
		}
	}
	return false
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
func (h *History) allowed(page *pageRecord) micros {
	allowed := h.settings.Slack
	if !h.settings.Notifies {
		allowed += h.settings.Sleep
	}
	if page.Kind == legacy {
		allowed += toMicros(legacyPause + 2*time.Second)
		if page.Ahead > 0 {
			allowed += toMicros(time.Second)
		}
	}
	return allowed
}

func (s *subscription) String() string {
	return fmt.Sprintf("page %d (%s, its clock ahead by %v), %s",
		s.page.Page, s.page.Kind, s.page.Ahead.duration().Round(time.Millisecond), s.id)
}

func (p *publication) String() string {
	return fmt.Sprintf("%s, published by %s at %v", p.ID, p.Way, p.Stamp)
}
