package hub

import "novcomet/core/event"

// entry is an event that at least one request waits for.
type entry struct {
	id      event.ID
	stamp   event.Stamp // found by the last check
	known   bool        // The last check found the stamp. It did not if the store could not be reached.
	dirty   bool        // A notification says that the stamp may have changed.
	inBatch bool
	first   *subscription // of a list of all that wait for this event
}

// link is the place of a subscription in the list of its event.
type link struct {
	entry          *entry
	owner          *Waiter
	next, previous *subscription
}

// entries are all events that are waited for. A full check costs as much as there are entries, however many
// requests wait.
type entries map[event.ID]*entry

// joinLocked adds the waiter's subscriptions to the lists of their events.
func (es entries) joinLocked(w *Waiter, delta *interestDelta) {
	for i := range w.subscriptions {
		s := &w.subscriptions[i]
		e := es[s.ID]
		if e == nil {
			e = &entry{id: s.ID}
			es[s.ID] = e // rule: poll-is-registered-before-the-check
			delta.toggleLocked(s.ID)
		}
		s.entry, s.owner, s.next = e, w, e.first
		if e.first != nil {
			e.first.previous = s
		}
		e.first = s
	}
}

// leaveLocked removes the waiter's subscriptions, and the events that no other request waits for.
func (es entries) leaveLocked(w *Waiter, delta *interestDelta) {
	for i := range w.subscriptions {
		s := &w.subscriptions[i]
		if s.next != nil {
			s.next.previous = s.previous
		}
		if s.previous != nil {
			s.previous.next = s.next
			continue
		}
		s.entry.first = s.next
		if s.next != nil {
			continue // rule: event-stays-while-others-wait-for-it
		}
		delete(es, s.ID)
		delta.toggleLocked(s.ID)
	}
}
