package soak

import (
	"slices"
	"time"
)

// bound is how long after a publication the page may learn of it, or of a later one. It is the promise of core/doc.go:
//
//   - its own pause between two polls, for nobody can tell it anything in that: 1 s in the pages written for comet.php,
//     none where it asks again at once;
//   - one sleep, unless changes are told at once. comet-fcgi is told (inotify). A comet.cgi is told as well, but of inotify's
//     instances a user has 128, and where there is none left it looks once every sleep;
//   - for a whole-second page 2 s, for its answer waits until the second is over that it will send back as T; 3 s where
//     its clock is ahead, for its first T is the clock's;
//   - and the slack, which is nothing promised: a loaded machine takes time to wake all of them.
//
// Two times do not count, see deaf: that in which comet-fcgi is restarted, and that in which a poll lies in the web server
// unread.
func (s *soak) bound(p *page) time.Duration {
	bound := s.options.Slack
	if !s.tells {
		bound += sleep
	}
	if p.kind == wholeSecond {
		bound += ownPause + 2*time.Second
		if p.ahead > 0 {
			bound += time.Second
		}
	}
	return bound
}

// deaf returns how much of the time nobody could tell the page anything, because comet-fcgi was being restarted, or because
// the web server did not read its poll: Apache, when reloaded, lets a request lie that comes on a kept connection just then,
// and closes the connection only some seconds later; the browser sends the request again.
func (s *soak) deaf(p *page, from, to time.Time) (d time.Duration) {
	outages := slices.Concat(s.outages, p.lain)
	slices.SortFunc(outages, func(a, b outage) int { return a.from.Compare(b.from) })
	for _, o := range outages { // They may overlap: what has been counted is behind from.
		if o.from.After(from) {
			from = o.from
		}
		if o.to.After(to) {
			o.to = to
		}
		if o.to.After(from) {
			d += o.to.Sub(from)
			from = o.to
		}
	}
	return d
}
