package core

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// listen starts to listen to the Notifier, unless that is under way. It is called when somebody has to wait, so that a
// poll which is answered at once costs nothing; what Notify tells first makes the loop look again.
func (l *loop) listen() {
	notify := l.notify()
	l.mu.Lock()
	defer l.mu.Unlock()
	if notify == nil || l.listening || l.closed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.listening, l.deafen = true, cancel
	go l.keepListening(ctx, notify)
}

// notify returns how the store tells of changes; nil, if it does not.
func (l *loop) notify() func(context.Context, func(...ID)) error {
	switch store := l.store.(type) {
	case Selective:
		return func(ctx context.Context, tell func(...ID)) error { return store.NotifyOf(ctx, l.attend(), tell) }
	case Notifier:
		return store.Notify
	default:
		return nil
	}
}

// keepListening tries again from time to time where the Notifier can't tell: until then there are the rounds.
func (l *loop) keepListening(ctx context.Context, notify func(context.Context, func(...ID)) error) {
	const pause = 10 * time.Second
	var logged atomic.Bool // that it can't
	tell := func(ids ...ID) {
		if logged.CompareAndSwap(true, false) {
			l.log().Info("notifications restored")
		}
		l.tell(ids...)
	}
	for {
		err := notify(ctx, tell)
		if ctx.Err() != nil || errors.Is(err, errors.ErrUnsupported) {
			return
		}
		if logged.CompareAndSwap(false, true) {
			l.log().Warn("notifications failed; changes are seen at the next check", "error", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// tell makes the loop look at the events, at all that anybody waits for if none is named.
func (l *loop) tell(ids ...ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(ids) == 0 {
		l.nextRound = time.Time{}
		l.rouse()
	}
	for _, id := range ids {
		if e := l.events[id]; e != nil && !e.told {
			e.told = true
			l.told = append(l.told, e)
			l.rouse()
		}
	}
}

// deaf ends the listening; l.mu is held.
func (l *loop) deaf() {
	if l.listening {
		l.deafen()
		l.listening, l.attention = false, nil
	}
}
