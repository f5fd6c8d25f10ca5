package main

import (
	"runtime/debug"
	"sync"
	"time"
)

// gcPercent was measured with thousands of polls that are answered at the same time and come again, on two
// cores. An answer and the next poll take 97 µs of CPU with Go's default of 100, 73 µs with 300, and 67 µs
// with 800. The additional memory of a burst (30 to 60 MB) is released after it.
const gcPercent = 300

// memoryReleaser returns memory to the system after a burst of requests. Without it, what was needed to
// answer thousands within a moment stays allocated for minutes, several KB for each.
type memoryReleaser struct {
	mu    sync.Mutex
	timer *time.Timer
	work  int // requests, answers and aborts since the last release
	last  time.Time
}

// note counts a request, an answer or an abort.
func (m *memoryReleaser) note() {
	const quiet = 500 * time.Millisecond
	m.mu.Lock()
	defer m.mu.Unlock()
	m.work++
	if m.timer == nil {
		m.timer = time.AfterFunc(quiet, m.release)
	} else {
		m.timer.Reset(quiet)
	}
}

// release is called when no request has come for a while. A release takes some milliseconds of CPU, so there
// is one only after a burst, and not too often.
func (m *memoryReleaser) release() {
	const burst, interval = 500, 2 * time.Second
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.work < burst {
		m.work = 0
		return
	}
	if wait := interval - time.Since(m.last); wait > 0 {
		m.timer.Reset(wait)
		return
	}
	m.work, m.last = 0, time.Now()
	go debug.FreeOSMemory() // Requests go on meanwhile.
}
