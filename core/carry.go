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
// Where the store is gone by now, they go on waiting: an answer without the data would be the last one about it.
func (l *loop) carry(waiters []*waiter) {
	if len(waiters) == 0 {
		return
	}
	data, err := l.read(waiters)
	l.report(err, false)
	l.mu.Lock()
	now := time.Now()
	answered := waiters[:0]
	for _, w := range waiters {
		if w.gone {
			continue
		}
		if err != nil {
			w.putOff()
			if !l.draining && now.Before(w.deadline) {
				if w.next = now.Add(w.sleep); w.deadline.Before(w.next) {
					w.next = w.deadline
				}
				l.waiting.put(w)
				continue
			}
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

// read returns what the events carry of which these polls are to be told.
func (l *loop) read(waiters []*waiter) (map[*event]json.RawMessage, error) {
	carrier, ok := l.store.(Carrier)
	if !ok {
		return nil, nil
	}
	var ids []ID
	var events []*event
	found := map[*event]json.RawMessage{}
	for _, w := range waiters {
		for i := range w.watches {
			e := w.watches[i].event
			if _, twice := found[e]; twice || w.watches[i].answer == 0 {
				continue
			}
			found[e] = nil
			events, ids = append(events, e), append(ids, e.id)
		}
	}
	data, err := l.contents(carrier, ids)
	if err != nil {
		return nil, err
	}
	for i, e := range events {
		found[e] = asJSON(data[i])
	}
	return found, nil
}

// contents asks the store. A store that panics is one that is gone, here as for stamps.
func (l *loop) contents(carrier Carrier, ids []ID) (data [][]byte, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("the store panicked: %v", problem)
		}
	}()
	data, err = carrier.Data(context.Background(), ids, l.maxData())
	if err == nil && len(data) != len(ids) {
		err = fmt.Errorf("the store gave the data of %d events for %d", len(data), len(ids))
	}
	return data, err
}
