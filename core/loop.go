package core

import (
	"container/heap"
	"context"
	"log/slog"
	"sync"
	"time"
)

// loop is the one try/sleep loop of a process. Where comet.php ran one for each visitor, every round here looks once at
// every event that anybody waits for, answers the polls it concerns, and sleeps. It runs only while somebody waits.
//
// A poll is looked at when it comes, in every round, and when its time is over. It is in the loop before the store is
// looked at for the first time, so that no publication can fall between.
type loop struct {
	store  Store
	timing Timing
	log    func() *slog.Logger

	wake chan struct{} // something came that can't wait for the timer

	mu        sync.Mutex // protects the following
	arrived   []*waiter
	waiting   schedule
	nextRound time.Time
	running   bool
	draining  bool

	// Only the running loop touches these.
	ahead  time.Duration // of the store's clock before this machine's
	failed bool          // the store, when it was last looked at
}

func newLoop(store Store, log func() *slog.Logger) *loop {
	return &loop{store: store, timing: timingOf(store), log: log, wake: make(chan struct{}, 1)}
}

// Wait blocks until the poll is to be answered, at the latest after tries × sleep and a hold, or until ctx ends, whose
// error it returns.
func (l *loop) Wait(ctx context.Context, query Query, s Settings) (Answer, error) {
	answered := make(chan Answer, 1)
	leave := l.Enter(query, s, func(a Answer) { answered <- a })
	select {
	case answer := <-answered:
		return answer, nil
	case <-ctx.Done():
		leave()
		return Answer{}, context.Cause(ctx)
	}
}

// Enter lets a poll wait and returns at once. done is called with its answer, by the loop, so it must not block. leave
// takes the poll out again, and reports whether it came before the answer: if so, done is not called any more.
func (l *loop) Enter(query Query, s Settings, done func(Answer)) (leave func() bool) {
	w := newWaiter(newPoll(query.Subscriptions, query.Precise(), l.timing), s, query.MaxWait, done)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.arrived = append(l.arrived, w)
	if !l.running {
		l.running = true
		go l.run()
	}
	l.rouse()
	return func() bool { return l.leave(w) }
}

func (l *loop) leave(w *waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := !w.gone
	w.gone = true
	if w.index >= 0 {
		heap.Remove(&l.waiting, w.index)
	}
	l.rouse() // so that a loop nobody waits in ends
	return first
}

// Drain answers everybody who waits, and whoever comes later, as soon as the rules of delivery allow.
func (l *loop) Drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.draining = true
	l.nextRound = time.Time{}
	l.rouse()
}

func (l *loop) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *loop) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		due, sleep, idle := l.plan()
		switch {
		case idle:
			return
		case len(due) > 0:
			l.look(due)
		default:
			timer.Reset(sleep)
			select {
			case <-timer.C:
			case <-l.wake:
			}
		}
	}
}

// plan returns the polls that have to be looked at now, or else for how long nobody has to be. Where nobody waits at
// all, the loop is idle, and no longer running.
func (l *loop) plan() (due []*waiter, sleep time.Duration, idle bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if len(l.arrived) == 0 && len(l.waiting) == 0 {
		l.running = false
		return nil, 0, true
	}
	for _, w := range l.arrived {
		if len(l.waiting)+len(due) == 0 || now.Add(w.sleep).Before(l.nextRound) {
			l.nextRound = now.Add(w.sleep)
		}
		due = append(due, w)
	}
	l.arrived = nil
	if len(l.waiting) > 0 && !now.Before(l.nextRound) {
		due = append(due, l.waiting.takeAll()...)
		l.nextRound = now.Add(shortestSleep(due))
	}
	for len(l.waiting) > 0 && !now.Before(l.waiting[0].next) {
		due = append(due, heap.Pop(&l.waiting).(*waiter))
	}
	if len(due) > 0 || len(l.waiting) == 0 {
		return due, 0, false
	}
	return nil, min(l.nextRound.Sub(now), l.waiting[0].next.Sub(now)), false
}
