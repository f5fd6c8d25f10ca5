package hub

import "sync/atomic"

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

// Alarm notices when a limit is reached. The zero Alarm is ready to use.
type Alarm struct{ on atomic.Bool }

// IsReached reports whether as much is in use as the limit allows; 0: any number. begins is true the first
// time, so that it can be logged, and again after less than 90 % of the limit was in use.
func (a *Alarm) IsReached(used, limit int) (reached, begins bool) {
	reached = limit > 0 && used >= limit
	switch {
	case reached:
		begins = !a.on.Swap(true)
	case limit == 0 || float64(used) < 0.9*float64(limit):
		a.on.Store(false)
	}
	return reached, begins
}

// isFullLocked reports whether a limit is reached. begins names the limit if that is to be logged.
func (h *Hub) isFullLocked() (full bool, begins string) {
	full, isNew := h.waitingAlarm.IsReached(h.count, h.limits.MaxWaiting)
	begins = "waiting requests"
	if !full {
		full, isNew = h.eventsAlarm.IsReached(len(h.entries), h.limits.MaxEvents)
		begins = "distinct events"
	}
	if !isNew {
		begins = ""
	}
	return full, begins
}
