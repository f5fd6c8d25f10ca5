package soak

import "time"

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
// The time in which comet-fcgi is restarted does not count: see outage.
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

// outage returns how much of the time comet-fcgi was being restarted.
func (r *record) outage(from, to time.Time) (d time.Duration) {
	for _, o := range r.outages {
		begin, end := max(from.UnixNano(), o.from.UnixNano()), min(to.UnixNano(), o.to.UnixNano())
		d += time.Duration(max(0, end-begin))
	}
	return d
}
