package core

import "context"

// Selective tells of changes as a [Notifier] does, but has to know which events are waited for, so that those that nobody
// waits for here cost nothing, however often they are published.
type Selective interface {
	Store

	// NotifyOf is Notify for the events of the interest. It follows it as it changes, and tells of each event also as soon as
	// it listens to it: what was published before may have been missed. So no first call without an event is needed, as
	// Notify has it.
	NotifyOf(ctx context.Context, interest Interest, changed func(...ID)) error
}

// Interest says which events are waited for. It belongs to one call of NotifyOf, and neither of its methods blocks.
type Interest interface {
	// Turned can be received from when Take has something new to return.
	Turned() <-chan struct{}
	// Take returns the events that are waited for but were not when it was last called, and those that were but are
	// not any more. At first it returns all. Polls come again at once: an event may be gone for a few milliseconds.
	Take() (come, gone []ID)
}

// attention is the interest of a loop. It remembers no more than the difference between what Take last returned and what is
// waited for now, so it stays small also where nobody takes.
type attention struct {
	loop   *loop
	turned map[ID]struct{} // waited for or not, unlike when Take last returned; loop.mu protects it
	more   chan struct{}
}

var _ Interest = (*attention)(nil)

// attend begins with all events that are waited for.
func (l *loop) attend() *attention {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := &attention{loop: l, turned: make(map[ID]struct{}, len(l.events)), more: make(chan struct{}, 1)}
	for id := range l.events {
		a.turn(id)
	}
	l.attention = a
	return a
}

// turn takes in that an event is waited for from now on, or no longer; a nil attention has no use for it.
func (a *attention) turn(id ID) {
	if a == nil {
		return
	}
	if _, ok := a.turned[id]; ok {
		delete(a.turned, id)
		return
	}
	a.turned[id] = struct{}{}
	select {
	case a.more <- struct{}{}:
	default:
	}
}

func (a *attention) Turned() <-chan struct{} { return a.more }

func (a *attention) Take() (come, gone []ID) {
	a.loop.mu.Lock()
	defer a.loop.mu.Unlock()
	for id := range a.turned {
		if a.loop.events[id] != nil {
			come = append(come, id)
		} else {
			gone = append(gone, id)
		}
	}
	clear(a.turned)
	return come, gone
}
