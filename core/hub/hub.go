// Package hub holds the waiting requests of a process, and answers them when their events change.
//
// Where comet.php ran one loop of checks and sleeps for each visitor, a hub runs one for all. A check reads
// each of its events once, however many requests wait for it. A request is checked when it arrives, when one
// of its events has changed, and when its wait is over. It is registered before its first check, so no
// publication can fall between the two.
//
// delivery.go has the rules of when a request is answered, and with what. The other files decide when to
// check. Each line marked "rule:" keeps a promise to clients; core/sim tests that clients notice
// when it is broken.
package hub

import (
	"container/heap"
	"context"
	"log/slog"
	"sync"
	"time"

	"novcomet/core/event"
	"novcomet/core/metrics"
	"novcomet/core/store"
)

// MinPause is the shortest pause between two checks.
const MinPause = 10 * time.Millisecond

// Request is what a client waits for.
type Request struct {
	// Subscriptions are the events, each once.
	Subscriptions []event.Subscription
	// Precise asks for an answer with stamps in microseconds and with cursors.
	Precise bool
	// Data says how the answer contains the data of changed events. It has an effect only on precise requests.
	Data event.Form
	// Wait is how long the request waits for a change; 0: it is answered after its first check. A legacy
	// answer can be held for some seconds longer.
	Wait time.Duration
	// Pause is the longest time between two checks; less than [MinPause] counts as MinPause.
	Pause time.Duration
}

// Hub holds the waiting requests of a process.
type Hub struct {
	store   store.Store
	metrics *metrics.Metrics
	log     *slog.Logger

	wake     chan struct{} // wakes the loop before its timer
	watching sync.WaitGroup

	alarm Alarm // of MaxWaiting and MaxEvents

	mu          sync.Mutex // protects the following
	limits      Limits
	entries     entries
	waiting     schedule
	pauses      map[time.Duration]int // how many waiters have each pause
	dirty       []*entry              // those whose dirty is true
	nextCheck   time.Time             // of all entries
	count       int                   // of waiters
	running     bool                  // The loop runs. It does while a request waits.
	draining    bool
	drainEnd    time.Time // when, while draining, no answer is held any longer
	closed      bool
	ending      bool               // The loop has ended after Close.
	ended       chan struct{}      // closed when, after Close, the loop has ended
	interest    *interestDelta     // for a store that asks what is waited for; nil: it does not ask
	stopWatch   context.CancelFunc // stops watching the store; nil: it is not watched
	unwatchable bool               // The store cannot be watched.

	// Only the loop uses the following.
	clockOffset   time.Duration            // the store's clock minus this machine's
	failed        bool                     // The last check failed.
	checkReported bool                     // The log says that checks fail.
	dataReported  bool                     // The log says that data cannot be read.
	withoutData   map[event.ID]event.Stamp // publications delivered without their data, already logged
}

// New returns a hub of the store.
func New(s store.Store, limits Limits, m *metrics.Metrics, log *slog.Logger) *Hub {
	return &Hub{
		store: s, metrics: m, log: log, limits: limits,
		wake: make(chan struct{}, 1), ended: make(chan struct{}), entries: entries{},
		pauses: map[time.Duration]int{}, withoutData: map[event.ID]event.Stamp{},
	}
}

// SetLimits replaces the limits. MaxWaiting and MaxEvents apply to requests that arrive later, MaxData and
// MaxAnswerData to all later answers.
func (h *Hub) SetLimits(limits Limits) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.limits = limits
}

// Wait lets a request wait, and returns at once. The receiver gets the result.
func (h *Hub) Wait(w *Waiter, request Request, receiver Receiver) {
	d := w.delivery
	d.start(request, h.store.Timing())
	w.start(request, receiver, d)
	h.add(w)
}

// Resume lets a request whose result was dropped go on waiting, as if it had not been answered. What has
// changed since it arrived is delivered at once.
func (h *Hub) Resume(w *Waiter) {
	w.resume()
	h.add(w)
}

func (h *Hub) add(w *Waiter) {
	if limit := h.register(w); limit != "" && h.alarm.IsDue() {
		h.log.Warn("the limit of " + limit + " is reached; polls are answered at once")
	}
}

// register registers the waiter, and returns the name of the limit that is reached, or "". The waiter's own
// check is due at once. The check of all events is due after the waiter's pause at the latest.
func (h *Hub) register(w *Waiter) (limit string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if limit = h.reachedLimitLocked(); limit != "" {
		w.deadline = w.since
	}
	if check := w.next.Add(w.pause); len(h.pauses) == 0 ||
		check.Before(h.nextCheck) { // rule: shortest-sleep-decides-the-next-check
		h.nextCheck = check
	}
	w.waiting = true
	h.entries.joinLocked(w, h.interest)
	h.pauses[w.pause]++
	h.count++
	h.countLocked()
	heap.Push(&h.waiting, w)
	if !h.running {
		h.running = true
		go h.run()
	}
	h.signal()
	return limit
}

// Cancel ends the wait of a request whose client has gone. It reports whether the request was waiting. If so,
// no result is delivered. Otherwise, the result has been delivered or is being delivered.
func (h *Hub) Cancel(w *Waiter) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !w.waiting {
		return false
	}
	h.removeLocked(w)
	h.signal() // A loop without waiters ends.
	return true
}

func (h *Hub) removeLocked(w *Waiter) {
	w.waiting = false
	h.entries.leaveLocked(w, h.interest)
	if h.pauses[w.pause]--; h.pauses[w.pause] == 0 {
		delete(h.pauses, w.pause)
	}
	h.waiting.remove(w)
	h.count-- // rule: answered-poll-is-gone
	h.countLocked()
}

func (h *Hub) countLocked() {
	h.metrics.Waiting.Store(int64(h.count))
	h.metrics.Events.Store(int64(len(h.entries)))
}

// Drain answers all requests, and those that still arrive, as soon as the delivery rules permit. After 4 s it
// answers the rest without a hold: such an answer may hide a publication, but no answer is worse. Thousands
// of answers are spread over 2 s, because their clients will all ask again. Drain returns at once.
func (h *Hub) Drain() {
	const few, spread, longest = 1000, 2 * time.Second, 4 * time.Second
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	h.draining, h.drainEnd = true, now.Add(longest)
	for i, w := range h.waiting {
		end := now
		if len(h.waiting) > few {
			end = now.Add(spread * time.Duration(i) / time.Duration(len(h.waiting)))
		}
		if end.Before(w.deadline) {
			w.deadline, w.next = end, end
		}
		if h.drainEnd.Before(w.next) {
			w.next = h.drainEnd
		}
	}
	heap.Init(&h.waiting)
	h.signal()
}

// Close makes the hub end when the last request has been answered: it then stops watching the store. Close
// returns at once.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if !h.running {
		h.endLocked()
	}
}

// Ended returns a channel that is closed when, after Close, the store is not used any more.
func (h *Hub) Ended() <-chan struct{} { return h.ended }

func (h *Hub) endLocked() {
	h.stopWatchLocked()
	if h.ending {
		return
	}
	h.ending = true
	go func() {
		h.watching.Wait()
		close(h.ended)
	}()
}
