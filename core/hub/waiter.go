package hub

import (
	"container/heap"
	"time"
)

// Waiter is a request that waits in a [Hub]. It is a part of the caller's own struct, so that a waiting
// request needs few allocations. It belongs to the hub from Wait until its result is delivered. After its
// result, it can be passed to Wait or Resume. After a Cancel it cannot: the hub may still hold it.
type Waiter struct {
	delivery
	receiver Receiver
	pause    time.Duration
	since    time.Time // when Wait was called
	deadline time.Time // when the request is answered even if nothing has changed
	next     time.Time // when it is due: on arrival, at its deadline, when its hold is over
	index    int       // in the schedule; -1: it is not there

	unchecked bool // It was in no batch since it began to wait.
	inBatch   bool
	partial   bool // Some of its events were last checked in an earlier batch.
	waiting   bool // It is registered in the hub: neither answered nor canceled.
}

// Receiver gets the result of a [Waiter].
type Receiver interface {
	// Deliver is called once. All waiting requests of the process wait for it, so it must not block. It may
	// call Wait.
	Deliver(*Result)
}

func (w *Waiter) start(r Request, receiver Receiver, d delivery) {
	now := time.Now()
	*w = Waiter{
		delivery: d, receiver: receiver, pause: max(r.Pause, MinPause),
		since: now, next: now, index: -1, unchecked: true,
	}
	w.deadline = now.Add(r.Wait) // rule: unchanged-answer-comes-after-all-tries
}

// resume makes the waiter as it was before its first check, but keeps what it knows of its events.
func (w *Waiter) resume() {
	w.reset()
	for i := range w.subscriptions {
		w.subscriptions[i].link = link{}
	}
	w.next, w.index = time.Now(), -1
	w.unchecked, w.partial = true, false
}

// schedule is a heap of waiters. The one that is due first is on top.
type schedule []*Waiter

var _ heap.Interface = (*schedule)(nil)

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].next.Before(s[j].next) }

func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

// Push and Pop are called by package heap.
func (s *schedule) Push(x any) {
	w := x.(*Waiter)
	w.index = len(*s)
	*s = append(*s, w)
}

func (s *schedule) Pop() any {
	last := len(*s) - 1
	w := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	w.index = -1
	return w
}

// put adds the waiter, or moves it if its next time has changed.
func (s *schedule) put(w *Waiter) {
	if w.index < 0 {
		heap.Push(s, w)
	} else {
		heap.Fix(s, w.index)
	}
}

// remove removes the waiter if it is there.
func (s *schedule) remove(w *Waiter) {
	if w.index >= 0 {
		heap.Remove(s, w.index)
	}
}
