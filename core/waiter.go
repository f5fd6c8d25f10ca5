package core

import (
	"container/heap"
	"time"
)

// waiter is a poll in the loop.
type waiter struct {
	*poll
	sleep    time.Duration
	since    time.Time
	deadline time.Time    // when it is answered even if nothing changed
	next     time.Time    // when it has to be looked at, whatever the rounds do: on arrival, at its deadline, when its hold is over
	done     func(Answer) // told the answer
	fresh    bool         // not looked at so far
	inTurn   bool         // to be looked at in the turn that is under way
	partly   bool         // only some of its events were looked at in that turn, as far as it knows
	gone     bool         // it was answered, or left
	index    int          // in the schedule; -1: not in it
}

func newWaiter(p *poll, s Settings, maxWait time.Duration, done func(Answer)) *waiter {
	w := &waiter{poll: p, sleep: s.pause(), since: time.Now(), done: done, fresh: true, index: -1}
	w.next = w.since
	wait := s.Wait()
	if maxWait >= 0 {
		wait = min(wait, maxWait)
	}
	w.deadline = w.since.Add(wait)
	return w
}

// schedule is a heap of waiters, the one that has to be looked at next on top.
type schedule []*waiter

var _ heap.Interface = (*schedule)(nil)

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].next.Before(s[j].next) }

func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

// Push is called by package heap alone, as is Pop.
func (s *schedule) Push(x any) {
	w := x.(*waiter)
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

// put gives the waiter the place that its next look asks for.
func (s *schedule) put(w *waiter) {
	if w.index < 0 {
		heap.Push(s, w)
	} else {
		heap.Fix(s, w.index)
	}
}

// take takes the waiter out, if it is in.
func (s *schedule) take(w *waiter) {
	if w.index >= 0 {
		heap.Remove(s, w.index)
	}
}
