package core

// event is an event that somebody waits for.
type event struct {
	id     ID
	stamp  Stamp // when the loop last looked
	known  bool  // the loop has looked, and the store was there
	told   bool  // a Notifier says that it may have changed
	picked bool  // for the look that is under way
	first  *watch
}

// interests are the events that anybody waits for, each with its watches. It grows with the distinct events, and a look
// costs as much.
type interests map[ID]*event

// join adds the waiter to those of each of its events.
func (in interests) join(w *waiter, a *attention) {
	for i := range w.watches {
		watch := &w.watches[i]
		e := in[watch.ID]
		if e == nil {
			e = &event{id: watch.ID}
			in[watch.ID] = e
			a.turn(watch.ID)
		}
		watch.event, watch.owner, watch.next = e, w, e.first
		if e.first != nil {
			e.first.previous = watch
		}
		e.first = watch
	}
}

// leave takes the waiter out again, and with it the events that nobody else waits for.
func (in interests) leave(w *waiter, a *attention) {
	for i := range w.watches {
		watch := &w.watches[i]
		if watch.next != nil {
			watch.next.previous = watch.previous
		}
		if watch.previous != nil {
			watch.previous.next = watch.next
		} else if watch.event.first = watch.next; watch.next == nil {
			delete(in, watch.ID)
			a.turn(watch.ID)
		}
	}
}

// link is a watch's place among those of the same event.
type link struct {
	event          *event
	owner          *waiter
	next, previous *watch
}
