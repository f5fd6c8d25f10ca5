package redis

import (
	"time"

	"novcomet/core"
)

const (
	// idleTime is how long an event stays subscribed to that nobody waits for: a browser with an answer asks again at once.
	idleTime = time.Minute
	// mostIdle is how many of them may stay.
	mostIdle = 10_000
)

// subscriptions are the events of whose publications the server is to tell. It knows no connection.
type subscriptions struct {
	waited map[core.ID]bool
	idle   map[core.ID]time.Time // nobody waits for them any more, since then
}

func newSubscriptions() *subscriptions {
	return &subscriptions{waited: map[core.ID]bool{}, idle: map[core.ID]time.Time{}}
}

// turn takes in what is waited for from now on and what no longer, and returns what is to be subscribed to.
func (s *subscriptions) turn(come, gone []core.ID) (fresh []core.ID) {
	for _, id := range come {
		s.waited[id] = true
		if _, ok := s.idle[id]; !ok {
			fresh = append(fresh, id)
		}
		delete(s.idle, id)
	}
	for _, id := range gone {
		delete(s.waited, id)
		s.idle[id] = time.Now()
	}
	return fresh
}

// sweep returns what has been idle for long enough, or all that is idle where it is too much.
func (s *subscriptions) sweep() (stale []core.ID) {
	tooMany := len(s.idle) > mostIdle
	for id, since := range s.idle {
		if tooMany || time.Since(since) >= idleTime {
			stale = append(stale, id)
			delete(s.idle, id)
		}
	}
	return stale
}

// all returns what a new connection has to subscribe to, which is only what is waited for.
func (s *subscriptions) all() (waited []core.ID) {
	clear(s.idle)
	for id := range s.waited {
		waited = append(waited, id)
	}
	return waited
}
