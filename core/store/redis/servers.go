package redis

import (
	"sync"
	"time"
)

// servers is what the checks have learned about a Cluster's servers.
//
// The earliest of their clocks is the store's clock, for two reasons. A legacy poll is held until its second
// has ended on every server. And a stamp counts as older than a poll only if it is older by the clock that
// set it. A check may ask only some of the servers, while its polls also wait for events of others. So the
// last answer of each server counts in later checks, too.
type servers struct {
	mu    sync.Mutex
	known map[string]*server // by address
}

// server is the state of one server.
type server struct {
	lastAsked time.Time
	asked     bool  // and no answer has come yet
	down      error // why there was no answer the last time; nil if there was one, or if a failure came at once

	clock   time.Time // the last answer to the command TIME
	clockAt time.Time // when it came, by this machine's clock
}

// ask notes that a check asks the server. It returns why the server did not answer the last time, and whether
// the answer to an earlier check is still missing.
func (s *servers) ask(address string) (down error, asked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.known[address]
	if known == nil {
		known = &server{}
		if s.known == nil {
			s.known = map[string]*server{}
		}
		s.known[address] = known
	}
	asked, known.asked, known.lastAsked = known.asked, true, time.Now()
	return known.down, asked
}

// answer notes that the server has answered, or why it has not.
func (s *servers) answer(address string, down error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.known[address]; known != nil {
		known.asked, known.down = false, down
	}
}

func (s *servers) setClock(address string, clock time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.known[address]; known != nil {
		known.clock, known.clockAt = clock, time.Now()
	}
}

// earliest returns the earliest present time of the known servers. A clock that was read during the check
// counts as it was read. A clock that was read before is moved forward to the beginning of the check, by this
// machine's monotonic clock, which is never set.
func (s *servers) earliest(began time.Time) (earliest time.Time) {
	const maxAge = 10 * time.Minute // After that, the server has no event that a poll waits for, or is gone.
	s.mu.Lock()
	defer s.mu.Unlock()
	for address, known := range s.known {
		if began.Sub(known.lastAsked) > maxAge {
			delete(s.known, address)
			continue
		}
		if known.clock.IsZero() {
			continue
		}
		there := known.clock.Add(max(began.Sub(known.clockAt), 0))
		if earliest.IsZero() || there.Before(earliest) {
			earliest = there
		}
	}
	return earliest
}
