package hub

import (
	"context"
	"fmt"
	"slices"
	"time"

	"novcomet/core/event"
	"novcomet/core/store"
)

// deliverWithData answers the requests that ask for data. The data is read after the delivery rules have
// decided that a stamp is delivered, so it belongs to that publication or to a later one. It is read once for
// each event, however many requests get it.
//
// If the store cannot be reached, the requests keep waiting: an answer without the data would be the last one
// about this publication. If only a part was read, the other requests are answered with a later batch.
func (h *Hub) deliverWithData(waiters []*Waiter) {
	if len(waiters) == 0 {
		return
	}
	h.mu.Lock()
	limits := h.limits
	h.mu.Unlock()
	data, err := h.readData(waiters, limits)
	h.reportData(err)
	h.mu.Lock()
	now := time.Now()
	answered := waiters[:0]
	var buffer []*subscription
	for _, w := range waiters {
		switch {
		case !w.waiting:
			continue
		case err == nil || len(data) > 0:
			buffer = w.truncate(data, limits.MaxAnswerData, buffer)
			if !w.hasChanged() { // None of its data was read. The next batch serves the oldest requests first.
				h.retryLocked(w, w.since)
				continue
			}
		case !h.draining && now.Before(w.deadline):
			h.retryLocked(w, now.Add(min(
				w.pause, // rule: data-answer-put-off-is-tried-again-after-a-sleep
				w.deadline.Sub(now),
			)))
			continue // rule: data-answer-put-off-waits-until-its-deadline
		default:
			w.reset()
		}
		h.removeLocked(w)
		answered = append(answered, w)
	}
	h.mu.Unlock()
	deliver(answered, newResults(data))
}

// truncate drops the events whose data was not read or does not fit into the answer. The client gets them
// with its next poll, at once, because their cursors are old. The first event always fits. Data is nil if the
// store has none. The buffer is memory that truncate uses and returns.
func (d *delivery) truncate(data map[*entry]payload, room int, buffer []*subscription) []*subscription {
	first := true
	buffer = d.changedOldestFirst(buffer)
	for _, s := range buffer {
		p, read := data[s.entry]
		size := len(p[d.data])
		if data != nil && !read || // rule: data-not-read-keeps-its-event-from-the-answer
			!first && size > room {
			s.delivered = 0
			continue
		}
		room -= size
		first = false
	}
	return buffer
}

// retryLocked lets the request keep waiting until at. Then it is checked as if nothing had been found so far.
func (h *Hub) retryLocked(w *Waiter, at time.Time) {
	w.reset()
	w.next = at
	h.waiting.put(w) // rule: data-answer-put-off-is-not-forgotten
}

// readData reads the data of the changed events in the order of their requests, in chunks, until it has about
// four full answers. On error, it returns what was read before. The result is nil if the store has no data.
func (h *Hub) readData(waiters []*Waiter, limits Limits) (map[*entry]payload, error) {
	var changed []*entry
	var buffer []*subscription
	for _, w := range waiters {
		buffer = w.changedOldestFirst(buffer)
		for _, s := range buffer {
			if e := s.entry; !e.inBatch {
				e.inBatch = true
				changed = append(changed, e)
			}
		}
	}
	for _, e := range changed {
		e.inBatch = false
	}
	asLines := slices.ContainsFunc(waiters, func(w *Waiter) bool { return w.data == event.Lines })
	enough := 4 * max(1, limits.MaxAnswerData)
	chunk := max(1, limits.MaxAnswerData/max(1, limits.MaxData))
	read := map[*entry]payload{}
	for size := 0; len(changed) > 0 && size < enough; {
		n := min(chunk, len(changed))
		contents, err := h.readContents(changed[:n], limits.MaxData)
		if store.IsUnsupported(err) {
			return nil, nil
		}
		if err != nil {
			return read, err
		}
		for i, e := range changed[:n] {
			data, err := contents[i].Data, contents[i].Err
			var p payload
			if err == nil {
				p[event.JSON], err = event.EncodeData(data)
			}
			if asLines && p[event.JSON] != nil {
				p[event.Lines] = event.EncodeLines(data)
			}
			read[e] = p
			h.reportWithoutData(e, err)
			size += max(len(p[event.JSON]), len(p[event.Lines]))
		}
		changed = changed[n:]
	}
	return read, nil
}

// readContents reads from the store.
func (h *Hub) readContents(entries []*entry, limit int) (contents []store.Content, err error) {
	defer catchPanic(&err)
	ids := make([]event.ID, len(entries))
	for i, e := range entries {
		ids[i] = e.id // rule: data-goes-with-its-own-event
	}
	contents, err = h.store.Data(context.Background(), ids, limit) // rule: data-is-read-after-the-stamps
	if err == nil && len(contents) != len(ids) {
		err = fmt.Errorf("the store returned the data of %d events for %d", len(contents), len(ids))
	}
	return contents, err
}

// reportData logs when data cannot be read, and when it can be read again.
func (h *Hub) reportData(err error) {
	switch failed := err != nil; {
	case failed && !h.dataReported:
		h.log.Error("data cannot be read; polls that ask for it keep waiting", "error", err)
	case !failed && h.dataReported:
		h.log.Info("data can be read again")
	}
	h.dataReported = err != nil
}

// reportWithoutData logs why an event is delivered without its data, once for each publication. If err is
// nil, the data is delivered.
func (h *Hub) reportWithoutData(e *entry, err error) {
	const remembered = 1000 // events at most
	if err == nil {
		delete(h.withoutData, e.id)
		return
	}
	if stamp, logged := h.withoutData[e.id]; logged && stamp == e.stamp {
		return
	}
	if len(h.withoutData) == remembered {
		clear(h.withoutData)
	}
	h.withoutData[e.id] = e.stamp
	h.log.Error("an event is delivered without its data", "event", e.id.String(), "error", err)
}
