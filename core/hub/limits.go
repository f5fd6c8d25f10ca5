package hub

import (
	"sync/atomic"
	"time"
)

// Limits bound what a [Hub] holds.
type Limits struct {
	// MaxWaiting is how many requests may wait; 0: any number. When it is reached, a request does not wait:
	// it is answered as soon as the delivery rules permit. Long polling becomes polling, and no client is
	// lost.
	MaxWaiting int
	// MaxEvents is about how many distinct events may be waited for; 0: any number. When it is reached, a
	// request is answered as with MaxWaiting.
	MaxEvents int
	// MaxData is how many bytes of data an event may carry; 0: none. Longer data is left out of the answer.
	MaxData int
	// MaxAnswerData is how many bytes of data the events of one answer may carry in total. One event always
	// fits. The client gets the others with its next poll, at once.
	MaxAnswerData int
}

// Alarm limits how often the log says that a limit is reached. The zero Alarm is ready to use.
type Alarm struct{ last atomic.Int64 } // when a line was due, in nanoseconds since 1970

// IsDue reports whether a line is due, and starts a minute in which no other is. Without that, each
// publication could cause a line: it empties the hub, and the clients that return reach the limit again.
func (a *Alarm) IsDue() bool {
	now, last := time.Now().UnixNano(), a.last.Load()
	return now-last >= int64(time.Minute) && a.last.CompareAndSwap(last, now)
}

// reachedLimitLocked returns the name of the limit that is reached, or "".
func (h *Hub) reachedLimitLocked() string {
	switch {
	case h.limits.MaxWaiting > 0 && h.count >= h.limits.MaxWaiting:
		return "waiting requests (max_waiting)"
	case h.limits.MaxEvents > 0 && len(h.entries) >= h.limits.MaxEvents:
		return "distinct events (max_events)"
	}
	return ""
}
