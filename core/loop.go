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
// A poll is looked at when it comes, when one of its events has changed, which the rounds and a Notifier tell, and when its
// time is over. It is in the loop before the store is looked at for the first time, so that no publication can fall
// between.
type loop struct {
	store  Store
	bounds func() bounds
	log    func() *slog.Logger

	wake chan struct{} // something came that can't wait for the timer

	mu        sync.Mutex // protects the following
	events    interests
	waiting   schedule
	sleeps    map[time.Duration]int // how many waiters have each sleep
	told      []*event              // by the Notifier
	attention *attention            // of a Selective one; nil: nobody asks for it
	nextRound time.Time
	count     int // of waiters
	counted   Figures
	running   bool
	draining  bool
	drained   time.Time // when, if draining, nobody is held any longer
	listening bool      // to the Notifier
	closed    bool
	ended     chan struct{}      // closed when, after Close, it runs no longer
	deafen    context.CancelFunc // ends the listening

	// Only the running loop touches these.
	ahead    time.Duration // of the store's clock before this machine's
	failed   bool          // the store, when it was last looked at
	reported bool          // that it failed, or a part of it
	dropped  map[ID]Stamp  // whose data was not delivered, and that was logged
}

// bounds are limits of an Endpoint.
type bounds struct {
	waiting, events   int // polls that wait, and distinct events that they wait for; 0: any number
	data, answersData int // bytes that one event carries, and that those of one answer do
}

func newLoop(store Store, bounds func() bounds, log func() *slog.Logger) *loop {
	return &loop{
		store: store, bounds: bounds, log: log,
		wake: make(chan struct{}, 1), ended: make(chan struct{}), events: interests{}, sleeps: map[time.Duration]int{},
		dropped: map[ID]Stamp{},
	}
}

// Enter lets a poll wait and returns at once. done is called with its answer, by the loop, so it must not block. leave
// takes the poll out again, and reports whether it came before the answer: if so, done is not called any more. Where as many
// wait as may, or for as many events, this one does not: it is answered as soon as the rules of delivery allow.
func (l *loop) Enter(query Query, s Settings, done func(Answer)) (leave func() bool) {
	w := newWaiter(newPoll(query, timingOf(l.store)), s, query.MaxWait, done)
	most := l.bounds()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.draining || most.waiting > 0 && l.count >= most.waiting || most.events > 0 && len(l.events) >= most.events {
		w.deadline = w.since
	}
	if round := w.since.Add(w.sleep); len(l.sleeps) == 0 || round.Before(l.nextRound) {
		l.nextRound = round
	}
	l.events.join(w, l.attention)
	l.sleeps[w.sleep]++
	l.count++
	heap.Push(&l.waiting, w)
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
	if w.gone {
		return false
	}
	l.forget(w)
	if !w.streams {
		l.counted.Left++
	}
	l.rouse() // so that a loop nobody waits in ends
	return true
}

func (l *loop) forget(w *waiter) {
	w.gone = true
	l.count--
	l.events.leave(w, l.attention)
	if l.sleeps[w.sleep]--; l.sleeps[w.sleep] == 0 {
		delete(l.sleeps, w.sleep)
	}
	l.waiting.take(w)
}

// Waiting returns how many polls wait.
func (l *loop) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// Drain answers everybody who waits, and whoever comes later, as soon as the rules of delivery allow, but within 4 s: then
// an answer that may hide a publication is better than none. Thousands are spread, for they will all ask again.
func (l *loop) Drain() {
	const few, spread, longest = 1000, 2 * time.Second, 4 * time.Second
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.draining, l.drained = true, now.Add(longest)
	for i, w := range l.waiting {
		end := now
		if len(l.waiting) > few {
			end = now.Add(spread * time.Duration(i) / time.Duration(len(l.waiting)))
		}
		if end.Before(w.deadline) {
			w.deadline, w.next = end, end
		}
		if l.drained.Before(w.next) {
			w.next = l.drained
		}
	}
	heap.Init(&l.waiting)
	l.rouse()
}

// Close ends the listening to the Notifier, when nobody waits any more.
func (l *loop) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if !l.running {
		l.end()
	}
}

// end ends the listening, when the loop is closed and does not run; l.mu is held. Whoever comes later still is answered.
func (l *loop) end() {
	l.deaf()
	select {
	case <-l.ended:
	default:
		close(l.ended)
	}
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
		t, sleep, idle := l.plan()
		switch {
		case idle:
			return
		case !t.isEmpty():
			l.look(t)
		default:
			l.listen()
			timer.Reset(sleep)
			select {
			case <-timer.C:
			case <-l.wake:
			}
		}
	}
}

// plan returns whom and what to look at now, or else for how long nobody has to be. Where nobody waits at all, the loop
// is idle, and no longer running.
func (l *loop) plan() (t turn, sleep time.Duration, idle bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.running = false
		l.told = nil
		if l.closed {
			l.end()
		}
		return turn{}, 0, true
	}
	now := time.Now()
	for len(l.waiting) > 0 && !now.Before(l.waiting[0].next) {
		t.addWaiter(heap.Pop(&l.waiting).(*waiter))
	}
	for _, w := range t.due {
		w.partly = false
		for i := range w.watches {
			t.addEvent(w.watches[i].event)
		}
	}
	for _, e := range l.told {
		e.told = false
		t.addEvent(e)
	}
	l.told = nil
	// When the store was gone, there may be polls that know nothing yet: the first look after it is at everything.
	if !now.Before(l.nextRound) || l.failed && !t.isEmpty() {
		for _, e := range l.events {
			t.addEvent(e)
		}
		t.whole = true
		l.nextRound = now.Add(l.shortestSleep())
	}
	if !t.isEmpty() {
		return t, 0, false
	}
	return turn{}, min(l.nextRound.Sub(now), l.waiting[0].next.Sub(now)), false
}

func (l *loop) shortestSleep() time.Duration {
	shortest := time.Duration(1<<63 - 1)
	for sleep := range l.sleeps {
		shortest = min(shortest, sleep)
	}
	return shortest
}
