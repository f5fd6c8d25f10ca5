// Package sim plays random histories against an endpoint, directly or through a [Server], and judges whether
// each client gets what package core promises.
//
// A [History] is drawn first: clients, publications and faults. Play plays it in a synctest bubble, with a
// simulated file store, and records all publications and answers. Judge compares the two. exception.go has
// the cases in which a client may miss a publication; they are the exceptions that the documentation of
// package core names, and no more.
package sim

import (
	"fmt"
	"strings"
	"time"
)

// History is what happens to one endpoint. It is drawn outside of the bubble in which it is played. Times are
// relative to the start of the bubble, which is a whole second of the kernel's clock.
type History struct {
	tick, phase   time.Duration // of the kernel's coarse clock
	fine          bool          // The kernel's stamps are fine.
	latency       time.Duration // of each check
	watch         bool          // The store can be watched.
	watchDelay    time.Duration
	maxWaiting    int
	maxStreams    int
	streamComment time.Duration
	streamEnd     time.Duration
	maxAnswerData int                      // in bytes; 0: the default
	ages          map[string]time.Duration // of the events that exist at the start
	clients       []profile
	steps         []step
}

// profile is how a client behaves.
type profile struct {
	precise      bool
	clock        time.Duration // how far a legacy client's clock is ahead of the server's
	waitsAtFirst bool          // A precise client does not begin with wait=0.
	legacyFirst  bool          // A precise client begins with a second of the server's clock for its first event.
	events       []string
	joins        time.Duration
	stays        time.Duration
	pauses       []time.Duration // after each poll, in turn
	patience     time.Duration   // after which a precise client aborts its poll, and polls again; 0: it does not
	tries        int
	sleep        time.Duration
	data         bool           // It asks for data.
	stream       *streamProfile // nil: it polls
}

// step is something that happens to the store or the server.
type step struct {
	at        time.Duration
	action    string
	event     string
	by        time.Duration // how far or how long
	unnoticed bool          // There is no notification.

	data          string        // that is published
	begins, takes time.Duration // of a rewrite: until it writes the first half, until it writes the rest
}

// The actions of a step.
const (
	publish      = "publish by URL"
	publishData  = "publish data by URL"
	touch        = "touch"
	touchAhead   = "touch -d"
	rewrite      = "truncate and write"
	rename       = "rename over"
	setClockBack = "set the clock back"
	failStore    = "the store fails"
	repairStore  = "the store is back"
	failData     = "the store's data fails"
	repairData   = "the store's data is back"
	failWatch    = "the watch fails"
	restart      = "another process takes over"
)

// end returns when all polls have been answered, or never will be.
func (h *History) end() time.Duration {
	const pauseAndHold, anotherHold = 12 * time.Second, 8 * time.Second
	end := time.Duration(0)
	for _, c := range h.clients {
		end = max(end, c.sleep)
	}
	for _, s := range h.steps {
		if s.action == setClockBack {
			end += anotherHold
		}
	}
	last := h.steps[len(h.steps)-1]
	return end + last.at + pauseAndHold
}

// GoString returns the history as a script. rapid prints it if the history breaks a rule.
func (h *History) GoString() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n  fine stamps: %v, ticks of %v at %v, latency %v, watch: %v after %v",
		h.fine, h.tick, h.phase, h.latency, h.watch, h.watchDelay)
	fmt.Fprintf(&b, "\n  limits: %d waiting, %d streams, %d bytes of data; stream: comment after %v, end after %v",
		h.maxWaiting, h.maxStreams, h.maxAnswerData, h.streamComment, h.streamEnd)
	for name, age := range h.ages {
		fmt.Fprintf(&b, "\n  %12v  %s was published", -age, name)
	}
	for i, c := range h.clients {
		fmt.Fprintf(&b, "\n  %12v  client %d joins: %+v", c.joins, i, c)
		if c.stream != nil {
			fmt.Fprintf(&b, ", stream: %+v", *c.stream)
		}
	}
	for _, s := range h.steps {
		fmt.Fprintf(&b, "\n  %12v  %s %s", s.at, s.action, s.event)
		if s.by != 0 {
			fmt.Fprintf(&b, " %v", s.by)
		}
		if s.data != "" {
			fmt.Fprintf(&b, " %q (begins after %v, takes %v)", s.data, s.begins, s.takes)
		}
		if s.unnoticed {
			b.WriteString(" (unnoticed)")
		}
	}
	return b.String()
}
