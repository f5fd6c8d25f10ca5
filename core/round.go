package core

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// turn is what the loop looks at, at one time.
type turn struct {
	events []*event
	due    []*waiter // to be looked at whether or not their events have changed
	whole  bool      // the events are all that anybody waits for
}

func (t *turn) isEmpty() bool { return len(t.events) == 0 && len(t.due) == 0 }

func (t *turn) addEvent(e *event) {
	if !e.picked {
		e.picked = true
		t.events = append(t.events, e)
	}
}

func (t *turn) addWaiter(w *waiter) {
	w.fresh = false
	if !w.inTurn {
		w.inTurn = true
		t.due = append(t.due, w)
	}
}

// look looks once at each event of the turn, and answers the polls it concerns.
func (l *loop) look(t turn) {
	now := time.Now()
	ids := make([]ID, len(t.events))
	for i, e := range t.events {
		ids[i] = e.id
	}
	snapshot, err := l.stamps(ids)
	took := time.Since(now)
	l.report(cmp.Or(err, snapshot.Missed), t.whole)
	l.failed = err != nil
	if err == nil {
		l.ahead = snapshot.Now.Sub(StampOf(now))
	} else {
		// Nothing is known, so nothing has changed. Polls go on, and end unchanged when their time is over.
		snapshot = Snapshot{Now: StampOf(now).Add(l.ahead)}
	}

	l.mu.Lock()
	l.counted.Looks.take(took, cmp.Or(err, snapshot.Missed) != nil)
	t.take(snapshot.Stamps)
	var answered, carrying []*waiter
	for _, w := range t.due {
		w.inTurn = false
		if w.gone {
			continue
		}
		if err == nil {
			w.look(snapshot.Now, now.Sub(w.since), took)
		}
		if l.draining && w.index < 0 { // It was on its way here when Drain came.
			w.deadline = now
		}
		w.next = l.nextLook(w, now, snapshot.Now)
		switch {
		case !w.next.IsZero():
			l.waiting.put(w)
		case w.data && w.changed():
			l.waiting.take(w)
			carrying = append(carrying, w)
		default:
			l.forget(w)
			l.answered(w)
			answered = append(answered, w)
		}
	}
	l.mu.Unlock()
	for _, w := range answered {
		w.done(w.result(nil))
	}
	l.carry(carrying)
}

// stamps asks the store. A store that panics is one that is gone: it must not take all other polls along.
func (l *loop) stamps(ids []ID) (snapshot Snapshot, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("the store panicked: %v", problem)
		}
	}()
	snapshot, err = l.store.Stamps(context.Background(), ids)
	if err == nil && len(snapshot.Stamps) != len(ids) {
		err = fmt.Errorf("the store gave %d stamps for %d events", len(snapshot.Stamps), len(ids))
	}
	return snapshot, err
}

// take takes in the stamps of the turn's events, and adds to it whoever waits for one that has changed. Of an event
// without one, nothing is known any more: when the store, or that part of it, is back, it counts as changed.
func (t *turn) take(stamps []Stamp) {
	for i, e := range t.events {
		e.picked = false
		if stamps == nil || stamps[i] == Unknown {
			e.known = false
			continue
		}
		if e.known && e.stamp == stamps[i] {
			continue
		}
		e.stamp, e.known = stamps[i], true
		for watch := e.first; watch != nil; watch = watch.next {
			if w := watch.owner; !w.fresh { // Its own turn is next, with all its events.
				w.partly = w.partly || !w.inTurn
				t.addWaiter(w)
			}
		}
	}
}

// nextLook returns when the poll has to be looked at again, or no time at all if it is to be answered now.
func (l *loop) nextLook(w *waiter, now time.Time, storeNow Stamp) time.Time {
	if !w.changed() && now.Before(w.deadline) {
		return w.deadline
	}
	held := now.Add(w.hold(storeNow).Sub(storeNow))
	if l.draining && !w.precise && l.drained.Before(held) { // A precise one is held for some milliseconds at the most.
		held = l.drained
	}
	switch {
	case held.After(now):
		return held
	case w.partly && !w.precise:
		// Of its other events it may have seen a stamp of long ago. A publication in the second that the client will send
		// back for one of them would never be told: first they are looked at, all of them at once.
		return now
	}
	return time.Time{}
}

// report logs when the store goes, or a part of it, and when all of it is back: a look at a few events may have passed by
// the part that is gone.
func (l *loop) report(err error, whole bool) {
	switch failed := err != nil; {
	case failed && !l.reported:
		l.log().Error("store check failed; polls keep waiting", "error", err)
		l.reported = true
	case !failed && l.reported && whole:
		l.log().Info("store reachable again")
		l.reported = false
	}
}
