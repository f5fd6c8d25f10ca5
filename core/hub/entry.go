package hub

import "novcomet/core/event"

// entry is an event that at least one request waits for.
type entry struct {
	id      event.ID
	stamp   event.Stamp // found by the last check
	known   bool        // The last check found the stamp. It did not if the store could not be reached.
	dirty   bool        // A notification says that the stamp may have changed.
	inBatch bool
	first   *watch // of a list of all watches of this event
}

// link is the place of a watch in the list of its event.
type link struct {
	entry          *entry
	owner          *Waiter
	next, previous *watch
}

// entries are all events that are waited for. A check costs as much as there are entries, however many
// requests wait.
type entries map[event.ID]*entry

// join adds the waiter's watches to the lists of their events.
func (es entries) join(w *Waiter, delta *interestDelta) {
	for i := range w.watches {
		watch := &w.watches[i]
		e := es[watch.ID]
		if e == nil {
			e = &entry{id: watch.ID}
			es[watch.ID] = e // rule: poll-is-registered-before-the-check
			delta.toggleLocked(watch.ID)
		}
		watch.entry, watch.owner, watch.next = e, w, e.first
		if e.first != nil {
			e.first.previous = watch
		}
		e.first = watch
	}
}

// leave removes the waiter's watches, and the events that no other request waits for.
func (es entries) leave(w *Waiter, delta *interestDelta) {
	for i := range w.watches {
		watch := &w.watches[i]
		if watch.next != nil {
			watch.next.previous = watch.previous
		}
		if watch.previous != nil {
			watch.previous.next = watch.next
			continue
		}
		watch.entry.first = watch.next
		if watch.next != nil {
			continue // rule: event-stays-while-others-wait-for-it
		}
		delete(es, watch.ID)
		delta.toggleLocked(watch.ID)
	}
}
