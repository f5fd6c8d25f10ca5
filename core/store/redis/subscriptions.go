package redis

import (
	"maps"
	"slices"
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

// subscriptions are the events whose channels are subscribed to. The value is when the last poll for the
// event ended, or zero while a poll waits for it. The type does no network I/O.
type subscriptions map[event.ID]time.Time

// update applies a change of the interest, and returns the events to subscribe to.
func (s subscriptions) update(added, removed []event.ID) (subscribe []event.ID) {
	for _, id := range added {
		if _, ok := s[id]; !ok {
			subscribe = append(subscribe, id)
		}
		s[id] = time.Time{}
	}
	for _, id := range removed {
		s[id] = time.Now()
	}
	return subscribe
}

// dropIdle returns the events to unsubscribe from: those that are idle for idleTime, or all idle ones if they
// are too many.
func (s subscriptions) dropIdle() (unsubscribe []event.ID) {
	var idle []event.ID
	for id, since := range s {
		if !since.IsZero() {
			idle = append(idle, id)
		}
	}
	for _, id := range idle {
		if len(idle) > maxIdle || time.Since(s[id]) >= idleTime {
			unsubscribe = append(unsubscribe, id)
			delete(s, id)
		}
	}
	return unsubscribe
}

// restart returns the events that a new connection has to subscribe to. It forgets the idle ones.
func (s subscriptions) restart() (subscribe []event.ID) {
	maps.DeleteFunc(s, func(_ event.ID, since time.Time) bool { return !since.IsZero() })
	return slices.Collect(maps.Keys(s))
}
