package soak

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	second = micros(1_000_000)
	// tick is the longest step of the kernel's coarse clock, which file times are read from.
	tick = 10_000
	// hold is how long an answer of comet.php's protocol is kept back at most.
	hold = 8 * second
)

// judge judges the history. judge.py does the same, and shares no code with it. What a disturbance may cause
// is listed in both, as in the table of ../README.md.
func (h *History) judge() *Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := newReport(h)
	kinds := map[int]kind{}
	for _, page := range h.Pages {
		kinds[page.Page] = page.Kind
	}
	polls := map[int][]*pollRecord{}
	for _, p := range h.Polls {
		polls[p.Page] = append(polls[p.Page], p)
		h.judgePoll(r, p, kinds[p.Page])
	}
	publications := map[string][]*publication{}
	for _, p := range h.Publications {
		publications[p.ID] = append(publications[p.ID], p)
		h.judgePublisher(r, p)
	}
	for _, page := range h.Pages {
		h.judgeWaits(r, page, polls[page.Page])
		for _, id := range page.IDs {
			s := &subscription{History: h, r: r, page: page, id: id, polls: polls[page.Page], published: publications[id]}
			s.read()
			s.judgeDeliveries()
			s.judgeLosses()
		}
	}
	r.finish()
	return r
}

// judgePoll asks whether a disturbance explains that a poll failed, and that a page of comet.php's client
// ended.
func (h *History) judgePoll(r *Report, p *pollRecord, kind kind) {
	if p.Answer != "" {
		r.Answers++
	}
	if p.Resent > 0 {
		r.Resent++
		r.Unread = max(r.Unread, (p.Resent - p.Sent).duration().Seconds())
	}
	name := "polling " + string(kind) + ": " + p.Error
	explained := (kind == legacy || !p.Ended) && h.during(fails, "", p.Sent-2*second, p.At)
	switch {
	case p.Error == "":
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

// judgePublisher asks whether a disturbance explains that a publication failed, or left no trace.
func (h *History) judgePublisher(r *Report, p *publication) {
	r.Publications[p.Way]++
	name := "publishing by " + p.Way + ": " + p.Error
	if p.Error == "" {
		name += "the stamp is an old one"
	}
	switch {
	case p.happened():
	case h.during(failsPublishing, p.ID, p.Start-2*second, p.End):
		r.Failed[name]++
	default:
		r.Errors[name]++
		r.detail("%s failed from %v to %v: %s", p, p.Start, p.End, p.Error)
	}
}

// happened reports whether the publication certainly happened.
func (p *publication) happened() bool { return p.Error == "" && p.Stamp >= p.Start-tick }

// when returns the time of the publication by the clock of the soak.
func (p *publication) when() micros { return min(max(p.Stamp, p.Start), p.End) }

// latest returns the latest time at which the publication happened. If it failed, a server may still have
// carried it out later.
func (p *publication) latest() micros {
	if p.Error != "" {
		return p.End + 30*second
	}
	return p.End
}

func (p *publication) String() string {
	return fmt.Sprintf("%s, published by %s at %v", p.ID, p.Way, p.Stamp)
}

// subscription is one event of a page. The history is locked.
type subscription struct {
	*History
	r          *Report
	page       *pageRecord
	id         string
	polls      []*pollRecord // of the page
	published  []*publication
	joined     micros // when the page asked for its first cursor, or sent its own
	known      micros // the stamp up to which the page knew everything then
	knownAt    micros // when the page had that cursor; 0: never
	deliveries []delivery
}

// during is that of the history, for the event.
func (s *subscription) during(kinds []string, from, to micros) bool {
	return s.History.during(kinds, s.id, from, to)
}

// fault counts a fault of the subscription, and describes it.
func (s *subscription) fault(count *int, format string, args ...any) {
	*count++
	s.r.detail(s.String()+" "+format, args...)
}

func (s *subscription) String() string {
	return fmt.Sprintf("page %d (%s, its clock ahead by %v), %s", s.page.Page, s.page.Kind, s.page.Ahead.duration(), s.id)
}

// read reads the answers of the page about the event.
func (s *subscription) read() {
	for _, p := range s.polls {
		cursor, _ := lastStamp(p.Cursors[s.id])
		if s.page.Kind == legacy && s.joined == 0 {
			s.joined, s.known, s.knownAt = p.Sent, cursor, p.Sent
		}
		var got answer
		if p.Error != "" || json.Unmarshal([]byte(p.Answer), &got) != nil {
			continue
		}
		if at, ok := lastStamp(got.At[s.id]); ok && s.knownAt == 0 {
			s.joined, s.known, s.knownAt = p.Sent, at, p.At
		}
		if stamp, ok := got.K[s.id]; ok {
			d := delivery{poll: p, cursor: cursor, data: string(got.D[s.id])}
			d.to, _ = lastStamp(stamp.String())
			if d.from = d.to; s.page.Kind == legacy {
				d.from -= second - 1
			}
			s.deliveries = append(s.deliveries, d)
		}
	}
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

// judgeLosses asks for each publication: did the page get this publication or a later one, in time?
func (s *subscription) judgeLosses() {
	if len(s.polls) == 0 {
		return
	}
	end, last, allowed := s.end(), s.polls[len(s.polls)-1], s.allowed(s.page)
	if last.Ended {
		end = last.At
	}
	if delay, _ := s.passed(s.polls, s.polls[0].Sent, end, allowed); s.knownAt == 0 && delay > allowed {
		s.r.Expected++
		s.fault(&s.r.Never, "never got a cursor")
	}
	for _, p := range s.published {
		if !p.happened() || s.knownAt == 0 || p.Start > end || !s.isNew(p) {
			continue // Only what was certainly published counts.
		}
		i := slices.IndexFunc(s.deliveries, func(d delivery) bool { return s.covers(d, p) })
		until := end
		if i >= 0 {
			until = s.deliveries[i].poll.At
		}
		delay, due := s.passed(s.polls, max(p.when(), s.joined), until, allowed)
		if i < 0 && delay <= allowed && last.Ended {
			continue // The page ended too early for this.
		}
		s.r.Expected++
		if i >= 0 {
			s.r.delays[s.page.Kind] = append(s.r.delays[s.page.Kind], delay)
		}
		reason := ""
		if i < 0 || delay > allowed {
			reason = s.excuse(p.Start, due)
		}
		switch {
		case reason != "":
			s.r.Excused[reason]++
			s.r.detail("%s may have missed %s because of %s", s, p, reason)
		case i < 0:
			s.fault(&s.r.Never, "never got %s", p)
		case delay > allowed:
			s.fault(&s.r.Late, "got %s too late, at %v, after %v", p, until, delay.duration())
		}
	}
}

// isNew reports whether the page did not know of a publication when it joined.
func (s *subscription) isNew(p *publication) bool {
	if s.page.Kind == legacy {
		return p.Stamp > s.known
	}
	return p.Start > s.knownAt || p.Stamp > s.known && !s.during(setsBack, p.Start, s.knownAt)
}

// covers reports whether the page knows of the publication by this delivery. A second covers only what was
// published before the answer came. If the clock was set, stamps have no order; then the delivery counts if
// its stamp was found in the store after the publication had begun.
func (s *subscription) covers(d delivery, p *publication) bool {
	switch {
	case s.page.Kind == legacy:
		return p.Stamp <= d.to && p.when() <= d.poll.At
	case d.poll.At < p.Start:
		return false
	case d.to >= p.Stamp && !s.during(clock, p.Start, d.poll.At):
		return true
	}
	return slices.ContainsFunc(s.published, func(q *publication) bool { return q.Stamp == d.to && q.End >= p.Start })
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
	allowed := h.Run.Slack
	if !h.Run.Notifies {
		allowed += h.Run.Sleep
	}
	if page.Kind == legacy {
		allowed += toMicros(legacyPause) + 2*second
		if page.Ahead > 0 {
			allowed += second
		}
	}
	return allowed
}

// end returns when the pages stopped, or now if they go on.
func (h *History) end() micros {
	if h.Run.End == 0 {
		return now()
	}
	return h.Run.End
}
