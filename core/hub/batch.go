package hub

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"novcomet/core/event"
	"novcomet/core/store"
)

// batch is the events and the requests of one check.
type batch struct {
	entries []*entry
	waiters []*Waiter // to be checked: they are due, or one of their events has changed
	full    bool      // The entries are all that there are.
}

func (b *batch) isEmpty() bool { return len(b.entries) == 0 && len(b.waiters) == 0 }

func (b *batch) addEntry(e *entry) {
	if !e.inBatch {
		e.inBatch = true
		b.entries = append(b.entries, e)
	}
}

func (b *batch) addWaiter(w *Waiter) {
	w.unchecked = false
	if !w.inBatch {
		w.inBatch = true
		b.waiters = append(b.waiters, w)
	}
}

// check reads the stamps of the batch's events, and answers the requests whose time has come.
func (h *Hub) check(b batch) {
	now := time.Now()
	snapshot, err := h.readStamps(b.entries)
	took := time.Since(now)
	problem := cmp.Or(err, snapshot.Partial)
	h.reportCheck(problem, b.full)
	h.metrics.CountCheck(took, problem != nil)
	h.failed = err != nil
	if err == nil {
		h.clockOffset = snapshot.Now.Sub(event.StampOf(now))
	} else {
		// Nothing is known, so nothing has changed. Requests keep waiting, and end unchanged when their wait
		// is over.
		snapshot = store.Snapshot{Now: event.StampOf(now).Add(h.clockOffset)}
	}

	h.mu.Lock()
	b.applyLocked(snapshot.Stamps)
	answered := b.waiters[:0]
	var withData []*Waiter
	for _, w := range b.waiters {
		w.inBatch = false
		if !w.waiting {
			continue
		}
		if err == nil {
			w.check(snapshot.Now, now.Sub(w.since), took)
		}
		if h.draining && w.index < 0 { // Drain did not see it: it was in the batch, or arrived later.
			w.deadline = now
		}
		w.next = h.nextTimeLocked(w, now, snapshot.Now)
		switch {
		case !w.next.IsZero():
			h.waiting.put(w)
		case w.data != event.NoData && w.hasChanged():
			h.waiting.remove(w)
			withData = append(withData, w)
		default:
			h.removeLocked(w)
			answered = append(answered, w)
		}
	}
	h.mu.Unlock()
	deliver(answered, newResults(nil))
	h.deliverWithData(withData)
}

// deliver hands each waiter its result. The receiver may use the waiter again at once.
func deliver(waiters []*Waiter, rs *results) {
	for _, w := range waiters {
		w.receiver.Deliver(rs.of(&w.delivery))
	}
}

// readStamps checks the store.
func (h *Hub) readStamps(entries []*entry) (snapshot store.Snapshot, err error) {
	defer catchPanic(&err)
	ids := make([]event.ID, len(entries))
	for i, e := range entries {
		ids[i] = e.id
	}
	snapshot, err = h.store.Check(context.Background(), ids)
	if err == nil && len(snapshot.Stamps) != len(ids) {
		err = fmt.Errorf("the store returned %d stamps for %d events", len(snapshot.Stamps), len(ids))
	}
	return snapshot, err
}

// catchPanic makes a panic in the store an error, so that it does not end all requests. It must be deferred.
func catchPanic(err *error) {
	if problem := recover(); problem != nil {
		*err = fmt.Errorf("the store panicked: %v", problem)
	}
}

// applyLocked records the stamps and adds the waiters of changed events. An event whose stamp could not be
// read becomes unknown; when it can be read again, it counts as changed.
func (b *batch) applyLocked(stamps []event.Stamp) {
	for i, e := range b.entries {
		e.inBatch = false
		if stamps == nil || stamps[i] == store.Unknown {
			e.known = false // rule: nothing-is-known-after-a-failed-check
			continue
		}
		if e.known && e.stamp == stamps[i] {
			continue
		}
		e.stamp, e.known = stamps[i], true
		for s := e.first; s != nil; s = s.next {
			w := s.owner
			// The next batch checks all events of an unchecked request.
			if w.unchecked { // rule: poll-that-comes-during-a-check-gets-its-own
				continue
			}
			// A waiter that was due has all its events in the batch.
			if !w.inBatch {
				w.partial = !b.full // rule: legacy-answer-follows-a-check-of-all-its-events
			}
			b.addWaiter(w)
		}
	}
}

// nextTimeLocked returns when the request is due again. The zero time means that it is answered now.
func (h *Hub) nextTimeLocked(w *Waiter, now time.Time, storeNow event.Stamp) time.Time {
	if !w.hasChanged() && now.Before(w.deadline) {
		return w.deadline
	}
	release := now.Add(w.releaseTime(storeNow).Sub(storeNow))
	if h.draining && !w.precise && h.drainEnd.Before(release) {
		release = h.drainEnd // A precise answer is held for some milliseconds at most.
	}
	switch {
	case release.After(now):
		return release
	case w.partial && !w.precise:
		// Its other events were last checked in an older batch. All of them are checked once more before the
		// answer. Otherwise, a publication in the second that the client sends back would be lost.
		return now
	}
	return time.Time{}
}

// reportCheck logs when the store or a part of it cannot be reached, and when all of it is back. Only a full
// check shows that all of it is back. Another one may not read from the part that failed.
func (h *Hub) reportCheck(err error, full bool) {
	switch failed := err != nil; {
	case failed && !h.checkReported:
		h.log.Error("store check failed; polls keep waiting", "error", err)
		h.checkReported = true
	case !failed && h.checkReported && full:
		h.log.Info("store reachable again")
		h.checkReported = false
	}
}
