package core

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// carry answers the polls that are also to be told what their events carry. That is read now, when it is known that the
// stamps are to be told, and so belongs to them or to a later publication; once for each event, whatever the number of polls.
//
// Where the store is gone by now, they go on waiting: an answer without the data would be the last one about it. Where there is
// more than is read at one time, or only a part could be read, the others are told in the next turn, with whoever else has
// something to be told.
func (l *loop) carry(waiters []*waiter) {
	if len(waiters) == 0 {
		return
	}
	most := l.bounds()
	data, err := l.read(waiters, most)
	l.report(err, false)
	l.mu.Lock()
	now := time.Now()
	answered := waiters[:0]
	for _, w := range waiters {
		switch {
		case w.gone:
			continue
		case err == nil || len(data) > 0:
			if w.leaveOut(data, most.answersData); !w.changed() { // Nothing of it was read: it is first in a later turn, as it came.
				l.lookAgain(w, w.since)
				continue
			}
		case !l.draining && now.Before(w.deadline):
			l.lookAgain(w, now.Add(min(w.sleep, w.deadline.Sub(now))))
			continue
		default:
			w.putOff()
		}
		l.forget(w)
		l.answered(w)
		answered = append(answered, w)
	}
	l.mu.Unlock()
	for _, w := range answered {
		w.done(w.result(data))
	}
}

// lookAgain lets the poll wait on, until it is looked at as if nothing had been found so far.
func (l *loop) lookAgain(w *waiter, at time.Time) {
	w.putOff()
	w.next = at
	l.waiting.put(w)
}

// read returns what the events carry of which these polls are to be told, as far as it is read at one time: what comes by
// then has to wait for it. Whoever is first gets all that an answer has room for. It is read in steps, for the store has a time
// for each; with an error comes what was read before.
func (l *loop) read(waiters []*waiter, most bounds) (map[*event]json.RawMessage, error) {
	carrier, ok := l.store.(Carrier)
	if !ok {
		return nil, nil
	}
	var ids []ID
	var events []*event
	found := map[*event]json.RawMessage{}
	for _, w := range waiters {
		for _, watch := range w.inTurns() {
			if e := watch.event; !e.picked {
				e.picked = true
				events, ids = append(events, e), append(ids, e.id)
			}
		}
	}
	for _, e := range events {
		e.picked = false
	}
	enough := 4 * most.answersData
	together := max(1, most.answersData/most.data) // so many are read in one step
	for size := 0; len(ids) > 0 && size < enough; {
		n := min(together, len(ids))
		data, err := l.contents(carrier, ids[:n], most.data)
		if err != nil {
			return found, err
		}
		for i, e := range events[:n] {
			found[e], err = data[i].json()
			l.drops(e, err)
			size += len(found[e])
		}
		ids, events = ids[n:], events[n:]
	}
	return found, nil
}

// contents asks the store. A store that panics is one that is gone, here as for stamps.
func (l *loop) contents(carrier Carrier, ids []ID, limit int) (data []Content, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("the store panicked: %v", problem)
		}
	}()
	data, err = carrier.Data(context.Background(), ids, limit)
	if err == nil && len(data) != len(ids) {
		err = fmt.Errorf("the store gave the data of %d events for %d", len(data), len(ids))
	}
	return data, err
}

// drops logs why the data of an event is not delivered, once for each publication; nil: it is delivered.
func (l *loop) drops(e *event, err error) {
	const most = 1000 // are remembered
	if err == nil {
		delete(l.dropped, e.id)
		return
	}
	if stamp, logged := l.dropped[e.id]; logged && stamp == e.stamp {
		return
	}
	if len(l.dropped) == most {
		clear(l.dropped)
	}
	l.dropped[e.id] = e.stamp
	l.log().Error("an event is delivered without its data", "event", e.id.String(), "error", err)
}
