package hub

import (
	"context"
	"sync/atomic"
	"time"

	"novcomet/core/event"
	"novcomet/core/store"
)

// startWatch watches the store, unless it is watched already or cannot be. The loop calls it when a request
// has to wait, so that a poll that is answered at once costs no watch. The first notification makes the loop
// check everything again.
func (h *Hub) startWatch() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopWatch != nil || h.unwatchable || h.closed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.stopWatch = cancel
	h.watching.Go(func() { h.runWatch(ctx) })
}

func (h *Hub) stopWatchLocked() {
	if h.stopWatch != nil {
		h.stopWatch()
		h.stopWatch, h.interest = nil, nil
	}
}

// runWatch watches until ctx ends. If the store cannot be watched, it tries again after a pause; the periodic
// checks find the changes meanwhile.
func (h *Hub) runWatch(ctx context.Context) {
	const pause = 10 * time.Second
	var failureLogged atomic.Bool
	changed := func(ids ...event.ID) {
		if failureLogged.CompareAndSwap(true, false) {
			h.log.Info("notifications restored")
		}
		h.notify(ids...)
	}
	for {
		if ctx.Err() != nil {
			return
		}
		err := h.watch(ctx, changed)
		if ctx.Err() != nil {
			return
		}
		if store.IsUnsupported(err) {
			h.mu.Lock()
			h.stopWatchLocked()
			h.unwatchable = true
			h.mu.Unlock()
			return
		}
		if failureLogged.CompareAndSwap(false, true) {
			h.log.Warn("notifications failed; changes are seen at the next check", "error", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

func (h *Hub) watch(ctx context.Context, changed func(...event.ID)) (err error) {
	defer catchPanic(&err)
	return h.store.Watch(ctx, &interestDelta{hub: h, changed: make(chan struct{}, 1)}, changed)
}

// notify makes the loop check the events, or all events that are waited for if there are no ids.
func (h *Hub) notify(ids ...event.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(ids) == 0 {
		h.nextCheck = time.Time{} // rule: all-events-are-checked-when-notifications-begin
		h.signal()
	}
	for _, id := range ids {
		if e := h.entries[id]; e != nil && !e.dirty {
			e.dirty = true
			h.dirty = append(h.dirty, e)
			h.signal()
		}
	}
}

// interestDelta is the store.Interest of a hub. It records only the ids that were added or removed since the
// last Diff. It begins to record at the first call; a store that watches all events never calls it.
type interestDelta struct {
	hub     *Hub
	toggled map[event.ID]struct{} // ids that were added or removed; hub.mu protects it
	changed chan struct{}
}

var _ store.Interest = (*interestDelta)(nil)

// startLocked starts with all events that are waited for.
func (d *interestDelta) startLocked() {
	if d.toggled != nil {
		return
	}
	d.toggled = make(map[event.ID]struct{}, len(d.hub.entries))
	for id := range d.hub.entries {
		d.toggleLocked(id)
	}
	d.hub.interest = d
}

// toggleLocked records that an event is waited for from now on, or not any more. A nil interestDelta ignores
// it.
func (d *interestDelta) toggleLocked(id event.ID) {
	if d == nil {
		return
	}
	if _, ok := d.toggled[id]; ok {
		delete(d.toggled, id)
		return
	}
	d.toggled[id] = struct{}{}
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// Changed implements [store.Interest].
func (d *interestDelta) Changed() <-chan struct{} {
	d.hub.mu.Lock()
	defer d.hub.mu.Unlock()
	d.startLocked()
	return d.changed
}

// Diff implements [store.Interest].
func (d *interestDelta) Diff() (added, removed []event.ID) {
	d.hub.mu.Lock()
	defer d.hub.mu.Unlock()
	d.startLocked()
	for id := range d.toggled {
		if d.hub.entries[id] != nil {
			added = append(added, id)
		} else {
			removed = append(removed, id)
		}
	}
	clear(d.toggled)
	return added, removed
}
