package main

import (
	"runtime/debug"
	"sync"
	"time"
)

// Measured with thousands of waiters that are all answered at the same time and come again, on two cores: with Go's default
// of 100 an answer and the next poll take 97 µs of CPU, with 300 they take 73 µs, with 800 they take 67 µs. What 300 takes in a
// burst (30 to 60 MB) is given back after it by housekeeping.
const gcPercent = 300

// housekeeping gives memory back to the system when a burst of requests is over: what was needed to answer thousands within
// a moment would else stay for minutes, several KB for each that waits.
type housekeeping struct {
	mu    sync.Mutex
	timer *time.Timer
	work  int // requests, answers and leavings since the last time
	last  time.Time
}

// worked is called for each request, each answer and each poll that leaves.
func (h *housekeeping) worked() {
	const calm = 500 * time.Millisecond
	h.mu.Lock()
	defer h.mu.Unlock()
	h.work++
	if h.timer == nil {
		h.timer = time.AfterFunc(calm, h.tidy)
	} else {
		h.timer.Reset(calm)
	}
}

// tidy is called when it is calm. It takes some milliseconds of CPU, so it is worth it only after a burst, and not all the
// time.
func (h *housekeeping) tidy() {
	const burst, often = 500, 2 * time.Second
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.work < burst {
		h.work = 0
		return
	}
	if wait := often - time.Since(h.last); wait > 0 {
		h.timer.Reset(wait)
		return
	}
	h.work, h.last = 0, time.Now()
	go debug.FreeOSMemory() // without the lock: requests go on
}
