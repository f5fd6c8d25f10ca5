package core

import (
	"container/heap"
	"context"
	"time"
)

// look looks once at every event that the polls wait for, answers those it concerns, and puts the others back.
func (l *loop) look(polls []*waiter) {
	now := time.Now()
	ids, position := distinct(polls)
	snapshot, err := l.store.Stamps(context.Background(), ids)
	l.report(err)
	if err == nil {
		l.ahead = snapshot.Now.Sub(StampOf(now))
	} else {
		// Nothing is known, so nothing has changed. Polls go on, and end unchanged when their time is over.
		snapshot = Snapshot{Now: StampOf(now).Add(l.ahead)}
	}

	var answered []*waiter
	l.mu.Lock()
	for _, w := range polls {
		if w.gone {
			continue
		}
		if err == nil {
			w.look(snapshot.Now, w.pick(snapshot.Stamps, position), now.Sub(w.since))
		}
		if w.next = l.nextLook(w, now, snapshot.Now); w.next.IsZero() {
			w.gone = true
			answered = append(answered, w)
		} else {
			heap.Push(&l.waiting, w)
		}
	}
	l.mu.Unlock()
	for _, w := range answered {
		w.done(w.result())
	}
}

// nextLook returns when the poll has to be looked at again, or no time at all if it is to be answered now.
func (l *loop) nextLook(w *waiter, now time.Time, storeNow Stamp) time.Time {
	if !w.changed() && now.Before(w.deadline) && !l.draining {
		return w.deadline
	}
	if held := w.hold(storeNow); held > storeNow {
		return now.Add(held.Sub(storeNow))
	}
	return time.Time{}
}

// distinct returns the events that the polls wait for, each once, and where each stands in the list.
func distinct(polls []*waiter) (ids []ID, position map[ID]int) {
	position = make(map[ID]int)
	for _, w := range polls {
		for i := range w.watches {
			id := w.watches[i].ID
			if _, known := position[id]; !known {
				position[id] = len(ids)
				ids = append(ids, id)
			}
		}
	}
	return ids, position
}

// pick returns the stamps of the poll's events, in its order.
func (p *poll) pick(stamps []Stamp, position map[ID]int) []Stamp {
	picked := make([]Stamp, len(p.watches))
	for i := range p.watches {
		picked[i] = stamps[position[p.watches[i].ID]]
	}
	return picked
}

// report logs when the store goes, and when it is back.
func (l *loop) report(err error) {
	switch failed := err != nil; {
	case failed && !l.failed:
		l.log().Error("can't look at the store; polls go on and end unchanged", "error", err)
	case !failed && l.failed:
		l.log().Info("the store is back")
	}
	l.failed = err != nil
}
