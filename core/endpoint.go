package core

import (
	"cmp"
	"log/slog"
	"net/http"
	"sync/atomic"
)

// Endpoint is the URL where comet.php used to be.
type Endpoint struct {
	// Settings are those of every request that has none of its own ([WithSettings]).
	Settings Settings
	// MaxForm is the largest form body that is read, in bytes; 0: DefaultMaxForm. A larger one is answered with 413.
	MaxForm int64
	// MaxWaiting is how many polls may wait; 0: any number. A poll beyond is answered as soon as the rules of delivery
	// allow, instead of being refused: long polling becomes polling, and no client is lost.
	MaxWaiting int
	// MaxEvents is how many distinct events may be waited for, about; 0: any number. Each look at the store asks for all of
	// them. A poll beyond is answered as one beyond MaxWaiting.
	MaxEvents int
	// MaxData is how much data an event carries at the most, in bytes; 0: DefaultMaxData. More is not published, but
	// answered with 413, and where another program has published it, the event is told of without it.
	MaxData int
	// MaxAnswerData is how much data the events of one answer carry together, in bytes; 0: DefaultMaxAnswerData. One event
	// is always told of. What there is no room for is left to the next poll, or part of a stream, which gets it at once.
	MaxAnswerData int
	// Streams limits Server-Sent Events.
	Streams StreamLimits
	// Status answers the requests of a location whose [Settings] say so; nil: the Figures, as JSON.
	Status http.Handler
	// BeforeWait is called before ServeHTTP lets a poll or a stream wait, not for what is answered at once; nil: nothing is. Its error
	// is logged and answered with 500. A program that serves a single request calls [Files.Probe] there.
	BeforeWait func() error
	// Log gets a line for each problem; nil: slog.Default().
	Log *slog.Logger

	store     Store
	loop      *loop
	limits    limits
	streaming atomic.Int64 // how many streams there are
	retired   atomic.Bool
	counts    counts
}

// DefaultMaxForm is room for a thousand ids of ordinary length.
const DefaultMaxForm = 64 << 10

// NewEndpoint returns the endpoint of the events in the store.
func NewEndpoint(store Store, s Settings) *Endpoint {
	e := &Endpoint{Settings: s, store: store}
	e.loop = newLoop(store, e.bounds, e.log)
	return e
}

func (e *Endpoint) maxForm() int64 { return cmp.Or(e.MaxForm, DefaultMaxForm) }

func (e *Endpoint) maxData() int { return cmp.Or(e.MaxData, DefaultMaxData) }

func (e *Endpoint) bounds() bounds {
	return bounds{e.MaxWaiting, e.MaxEvents, e.maxData(), cmp.Or(e.MaxAnswerData, DefaultMaxAnswerData)}
}

func (e *Endpoint) log() *slog.Logger {
	if e.Log != nil {
		return e.Log
	}
	return slog.Default()
}

// Drain answers every poll that waits, and every one that still comes, as soon as the rules of delivery allow: within 4 s,
// and where thousands wait not all at the same time. It returns at once.
func (e *Endpoint) Drain() { e.loop.Drain() }

// Retire ends the streams in an orderly way, each with what it is sent next: a comment, if nothing else. Their browsers come again,
// and find what has taken this endpoint's place, with rules that may be others. Polls go on; they end soon.
func (e *Endpoint) Retire() { e.retired.Store(true) }

// Close lets the endpoint end: it stops listening to its store's Notifier when the last poll has been answered, and returns
// at once.
func (e *Endpoint) Close() { e.loop.Close() }

// Ended is closed when, after Close, the last poll has been answered and the store is not looked at any more. Whoever wants to
// close the store waits for it, and lets no request in meanwhile.
func (e *Endpoint) Ended() <-chan struct{} { return e.loop.ended }

// Waiting returns how many polls wait.
func (e *Endpoint) Waiting() int { return e.loop.Waiting() }

const methods = "GET, POST, PUT, HEAD, OPTIONS"

// ServeHTTP answers one request: a publication at once, a poll when it is time, a stream again and again.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	opened := e.Open(r)
	answer := opened.Answer
	if opened.waits() && e.BeforeWait != nil {
		if err := e.BeforeWait(); err != nil {
			e.log().Error("polls cannot wait here", "error", err)
			e.Refuse(r, http.StatusInternalServerError, "polls cannot wait here; the server's log says why").ServeHTTP(w, r)
			return
		}
	}
	switch {
	case opened.Stream != nil:
		answer = opened.Stream
	case opened.Poll != nil:
		if answer = opened.Poll.wait(r.Context()); answer == nil {
			return // The client has left; nobody hears an answer.
		}
	}
	answer.ServeHTTP(w, r)
}
