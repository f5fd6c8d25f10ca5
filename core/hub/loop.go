package hub

import (
	"container/heap"
	"time"
)

// signal wakes the loop.
func (h *Hub) signal() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// run is the loop. It ends when no request waits.
func (h *Hub) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		b, pause, idle := h.plan()
		switch {
		case idle:
			return
		case !b.isEmpty():
			h.check(b)
		default:
			h.startWatch()
			timer.Reset(pause)
			select {
			case <-timer.C:
			case <-h.wake:
			}
		}
	}
}

// plan returns the batch to check now. If that is empty, it returns how long the loop can sleep. If no
// request waits, it marks the loop as ended, and idle is true.
func (h *Hub) plan() (b batch, pause time.Duration, idle bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) == 0 {
		h.running, h.dirty = false, nil
		if h.closed {
			h.endLocked()
		}
		return batch{}, 0, true
	}
	now := time.Now()
	for len(h.waiting) > 0 && !now.Before(h.waiting[0].next) {
		b.addWaiter(heap.Pop(&h.waiting).(*Waiter))
	}
	for _, w := range b.waiters {
		w.partial = false
		for i := range w.subscriptions {
			b.addEntry(w.subscriptions[i].entry) // rule: new-poll-has-all-its-events-checked
		}
	}
	for _, e := range h.dirty {
		e.dirty = false // rule: notification-does-not-hide-the-next
		b.addEntry(e)   // rule: notification-leads-to-a-check
	}
	h.dirty = nil
	// After a failed check, requests may know nothing so far. So the next check is a full one.
	if !now.Before(h.nextCheck) ||
		h.failed && !b.isEmpty() {
		for _, e := range h.entries {
			b.addEntry(e) // rule: periodic-check-covers-all-events
		}
		b.full = true
		h.nextCheck = now.Add(h.shortestPauseLocked())
	}
	if !b.isEmpty() {
		return b, 0, false
	}
	return batch{}, min(h.nextCheck.Sub(now), h.waiting[0].next.Sub(now)), false
}

func (h *Hub) shortestPauseLocked() time.Duration {
	shortest := time.Duration(1<<63 - 1)
	for pause := range h.pauses {
		shortest = min(shortest, pause)
	}
	return shortest
}
