package redis

import (
	"time"

	"novcomet/core/event"
)

const (
	// idleTime is how long an event stays subscribed after the last poll for it. A browser asks again at once
	// when it has an answer.
	idleTime = time.Minute
	// maxIdle is how many idle events may stay subscribed.
	maxIdle = 10_000
)

// subscriptions are the events whose channels are subscribed to. They know no connection.
type subscriptions struct {
	wanted map[event.ID]bool      // polls wait for them
	idle   map[event.ID]time.Time // no poll has waited for them since that time
}

func newSubscriptions() *subscriptions {
	return &subscriptions{wanted: map[event.ID]bool{}, idle: map[event.ID]time.Time{}}
}

// update applies a change of the interest, and returns the events to subscribe to.
func (s *subscriptions) update(added, removed []event.ID) (subscribe []event.ID) {
	for _, id := range added {
		s.wanted[id] = true
		if _, ok := s.idle[id]; !ok {
			subscribe = append(subscribe, id)
		}
		delete(s.idle, id)
	}
	for _, id := range removed {
		delete(s.wanted, id)
		s.idle[id] = time.Now()
	}
	return subscribe
}

// dropIdle returns the events to unsubscribe from: those that are idle for idleTime, or all idle ones if they
// are too many.
func (s *subscriptions) dropIdle() (unsubscribe []event.ID) {
	tooMany := len(s.idle) > maxIdle
	for id, since := range s.idle {
		if tooMany || time.Since(since) >= idleTime {
			unsubscribe = append(unsubscribe, id)
			delete(s.idle, id)
		}
	}
	return unsubscribe
}

// restart returns the events that a new connection has to subscribe to. It forgets the idle ones.
func (s *subscriptions) restart() (subscribe []event.ID) {
	clear(s.idle)
	for id := range s.wanted {
		subscribe = append(subscribe, id)
	}
	return subscribe
}
