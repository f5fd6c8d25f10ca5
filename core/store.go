package core

import (
	"context"
	"errors"
	"time"
)

// Store is where stamps live. It may be shared by many processes; all its methods may be called at the same time. Package
// novcomet/core/storetest tests whether a Store does what it must.
type Store interface {
	// Stamps looks once at each of the events: one stamp for each id, in the order of ids. There may be thousands of them, or
	// none; then Now is all that is asked.
	//
	// One goroutine looks for all polls of a process. While it is in Stamps, no poll is answered, and the ctx that it gives
	// never ends. So Stamps must bound its own time: a second is much.
	//
	// An error says that nothing could be looked at. It wraps [ErrUnavailable] where that is the store's own state. Polls go on
	// meanwhile, and end unchanged. Where only some events could not be looked at, there is no error, but Unknown and Missed
	// in the Snapshot.
	Stamps(ctx context.Context, ids []ID) (Snapshot, error)

	// Publish makes the event's stamp strictly later than it was, and returns it. However far the publisher was
	// delayed, the stamp is not earlier than the store's clock when it was set, but for the Lag of its [Timing].
	//
	// Strictly later holds also where many processes publish the same event at the same time, and where the clock stands still
	// or was set back: then the stamp is the one before and 1 µs. There are two exceptions. A stamp that is more than 2 s ahead of
	// the store's clock is left behind, and the new one is the clock's; polls know how to tell of it. And an event that was
	// removed begins anew, with the clock's.
	//
	// ctx is the request's and may have no deadline. So Publish must bound its own time, too. Where ctx ends it, its error
	// wraps context.Cause(ctx).
	//
	// The error wraps [ErrUnavailable] where nothing can be published now: HTTP 503. It wraps [ErrNoEvent] where the Store would
	// have to make the event and does not: 403. Any other is about this event alone: it is logged, and the answer is false.
	// After an error nobody knows whether the stamp has changed.
	Publish(ctx context.Context, id ID) (Stamp, error)
}

// Notifier is a Store that can tell of a change before the next round; a [Selective] one is told first of what it is to tell.
// What it tells is a hint to look at once: the loop still looks at least every sleep, so that nothing is lost with a hint.
type Notifier interface {
	Store

	// Notify calls changed with the events that may have a new stamp, until ctx ends, whose cause it returns then, or until
	// it can't tell any more; errors.ErrUnsupported, if it never will. A call without an event says that any of them may: it
	// comes first as soon as Notify listens, for what was published before may have been missed, and again whenever something
	// was missed.
	Notify(ctx context.Context, changed func(...ID)) error
}

// ErrUnavailable is wrapped by the error of a store that can't be reached at all: nothing can be published now, but
// later perhaps. Any other error of Publish is about that one event.
var ErrUnavailable = errors.New("the store is not available")

// ErrNoEvent is wrapped by the error of a Store that does not make new events.
var ErrNoEvent = errors.New("there is no such event, and publishing does not create one")

// errNotRegular is about a directory, FIFO, socket or link where an event's file would be.
var errNotRegular = errors.New("not a regular file")

// Snapshot is what a Store saw when it looked.
type Snapshot struct {
	// Now is the store's clock, read before it looked at the first event. All rules of delivery go by it. If somebody may set
	// the clock, Until must follow.
	Now Stamp
	// Stamps are those of the events asked for, in that order; 0 where there is no such event, Unknown where it could not
	// be looked at.
	Stamps []Stamp
	// Missed says why some are Unknown, as where one of several servers is gone; it wraps ErrUnavailable. nil: none is. Polls
	// go on with what was seen.
	Missed error
}

// Until takes what the store's clock reads after the check, took later by a clock that nobody sets. If the store's clock was set
// back during the check, a fresh stamp looks old by what it read before. Now is then what it would have read.
func (s *Snapshot) Until(after Stamp, took time.Duration) {
	s.Now = min(s.Now, after.Add(-took))
}

// Unknown stands for the stamp of an event that could not be looked at, in a [Snapshot] that has others.
const Unknown Stamp = -1

// Timing says how far a Store's stamps can be trusted.
type Timing struct {
	// Settle is the age from which a stamp can't be given again to a later publication. At least 1 µs, for that is
	// a stamp's unit.
	Settle time.Duration
	// Lag is how far a new stamp may lie behind the store's clock.
	Lag time.Duration
	// Lead is how far a new stamp may lie ahead of the store's clock: nothing, where the same clock sets both.
	Lead time.Duration
	// Write is the age of a stamp from which what the event carries has been written as a whole; 0: a [Carrier]'s data is
	// never seen half written.
	Write time.Duration
}

// Timed is a Store that knows its Timing. Of others it is assumed that their stamps are as fine as their unit and lag
// by 20 ms at the most.
type Timed interface {
	Timing() Timing
}

func timingOf(store Store) Timing {
	timing := Timing{Lag: 20 * time.Millisecond}
	if timed, ok := store.(Timed); ok {
		timing = timed.Timing()
	}
	timing.Settle = max(timing.Settle, time.Microsecond)
	return timing
}
