package core

import (
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
)

// counts are what an endpoint counts itself. What the loop does is counted there, under the lock that is held anyway.
type counts struct {
	began, published, unpublished atomic.Uint64

	mu     sync.Mutex
	errors map[int]uint64 // by HTTP status
}

// Figures returns how the endpoint does.
func (e *Endpoint) Figures() Figures {
	f := e.loop.figures()
	f.Streams = int(e.streaming.Load())
	f.Began = e.counts.began.Load()
	f.Published, f.Unpublished = e.counts.published.Load(), e.counts.unpublished.Load()
	e.counts.mu.Lock()
	defer e.counts.mu.Unlock()
	f.Errors = maps.Clone(e.counts.errors)
	return f
}

// Counted returns an answer that is counted when it turns out to be an HTTP error. Those that the Endpoint gives are; it is for
// what stands in front of it and refuses requests, too.
func (e *Endpoint) Counted(answer http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer.ServeHTTP(&watched{w, e, false}, r)
	})
}

// watched sees whether an answer is an error.
type watched struct {
	http.ResponseWriter
	endpoint *Endpoint
	failed   bool
}

func (w *watched) WriteHeader(status int) {
	if w.failed = status >= http.StatusBadRequest; w.failed {
		w.endpoint.counts.fail(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write also logs what an error says. What was asked for is not logged: there may be tokens in it.
func (w *watched) Write(b []byte) (int, error) {
	if w.failed {
		w.endpoint.log().Debug("a request was refused", "answer", string(b))
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (c *counts) fail(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.errors == nil {
		c.errors = map[int]uint64{}
	}
	c.errors[status]++
}

// publication counts one, which was stored or not.
func (c *counts) publication(err error) {
	if err == nil {
		c.published.Add(1)
	} else {
		c.unpublished.Add(1)
	}
}

// figures are those of the loop.
func (l *loop) figures() Figures {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.counted
	f.Waiting, f.Events = l.count, len(l.events)
	return f
}

// answered counts a poll that is; the loop's lock is held.
func (l *loop) answered(w *waiter) {
	switch {
	case w.streams:
	case w.changed():
		l.counted.Changed++
	default:
		l.counted.Unchanged++
	}
}
