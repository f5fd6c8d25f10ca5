package main

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"time"
)

// logQueue is a writer of log lines that never blocks. A goroutine writes the lines to out, each with one
// call. If out is read too slowly, the queue fills; then further lines are dropped, and their number is
// logged when out is read again.
type logQueue struct {
	out    io.Writer
	direct *slog.Logger  // writes to out, past the queue
	wake   chan struct{} // capacity 1; closed by close
	done   chan struct{} // closed when all lines are written

	mu      sync.Mutex // protects the following and sending to wake
	lines   []byte
	dropped int
	closed  bool
}

const (
	maxQueued = 1 << 20                // bytes that wait; as many may be with the goroutine
	flushTime = 200 * time.Millisecond // for the last lines, when the process ends
)

func newLogQueue(out io.Writer, direct *slog.Logger) *logQueue {
	q := &logQueue{out: out, direct: direct, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go func() {
		defer close(q.done)
		for range q.wake {
			q.write()
		}
	}()
	return q
}

// Write queues a line, or drops it. It never fails.
func (q *logQueue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return len(line), nil
	case len(q.lines)+len(line) > maxQueued:
		q.dropped++
	default:
		q.lines = append(q.lines, line...)
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return len(line), nil
}

// write writes what is queued. A log that cannot be written has nowhere to report that.
func (q *logQueue) write() {
	q.mu.Lock()
	lines, dropped := q.lines, q.dropped
	q.lines, q.dropped = nil, 0
	q.mu.Unlock()
	for line := range bytes.Lines(lines) {
		_, _ = q.out.Write(line)
	}
	if dropped > 0 {
		q.direct.Warn("log lines were dropped, because the log was read too slowly", "lines", dropped)
	}
}

// close returns when all lines are written, or after flushTime. Lines that come later are discarded.
func (q *logQueue) close() {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.wake)
	}
	q.mu.Unlock()
	select {
	case <-q.done:
	case <-time.After(flushTime):
	}
}
