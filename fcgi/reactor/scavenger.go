package reactor

import "time"

// scavenger returns memory to the system after a burst of work. Without it, what was needed to answer
// thousands within a moment stays allocated for minutes, 3 KB for each.
type scavenger struct {
	free  func()    // releases memory
	work  int       // events and results since the last release or quiet time
	last  time.Time // when there was work last
	freed time.Time // when memory was released last
}

// A release takes some milliseconds of CPU, so there is one only after a burst, and not too often.
const (
	burst        = 500                    // events and results, at least
	quiet        = 500 * time.Millisecond // without work, before a release
	releasePause = 2 * time.Second        // between two releases, at least
)

func (s *scavenger) note(work int) {
	if work == 0 {
		return
	}
	now := time.Now()
	if s.work < burst && now.Sub(s.last) > quiet {
		s.work = 0
	}
	s.work += work
	s.last = now
}

// due returns when memory is to be released, unless there is more work; zero: not at all.
func (s *scavenger) due() time.Time {
	if s.work < burst {
		return time.Time{}
	}
	due, earliest := s.last.Add(quiet), s.freed.Add(releasePause)
	if due.Before(earliest) {
		return earliest
	}
	return due
}

func (s *scavenger) release() {
	if due := s.due(); !due.IsZero() && !time.Now().Before(due) {
		s.work, s.freed = 0, time.Now()
		go s.free() // The loop goes on meanwhile.
	}
}
