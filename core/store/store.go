// Package store is the contract between NovComet and the place where stamps are kept.
//
// To add a store: implement [Store] in a package below this one, call storetest.Test in its test, open it in
// package conf/build or in the program, and allow its name as a value of the setting store, in conf/keys.go.
package store

import (
	"context"
	"errors"
	"syscall"
	"time"

	"novcomet/core/event"
)

// Store keeps the stamps of events, and the data that they carry. Several processes may share one. All
// methods may be called concurrently.
type Store interface {
	// Check reads the stamps of events: one stamp for each id, in the order of ids. There may be thousands of
	// ids, or none. With none, only the clock is read.
	//
	// One goroutine checks for all polls of a process, and no poll is answered meanwhile. Its ctx never ends,
	// so Check must limit its own time: a second is much.
	//
	// An error means that nothing could be read. It wraps [ErrUnavailable] if the store cannot be reached.
	// Polls keep waiting, and end unchanged. If only some events could not be read, there is no error: their
	// stamps are [Unknown], and Partial says why.
	Check(ctx context.Context, ids []event.ID) (Snapshot, error)

	// Publish sets the event's stamp and returns it. Data that is not nil replaces what the event carries;
	// empty data removes it. A reader sees the old data or the new data, never a mixture. With nil, the
	// event's data stays.
	//
	// The new stamp is strictly later than the old one, also when many processes publish the same event and
	// when the clock stands still or was set back: then it is the old stamp plus 1 µs. There are three
	// exceptions, which the delivery rules handle. An old stamp that is more than 2 s ahead of the store's
	// clock is ignored. An event that was removed starts again with the clock's time. And in package files,
	// another user's file can only be given the clock's time. The stamp is at most [Timing].Lag earlier than
	// the store's clock.
	//
	// The ctx of a request may have no deadline, so Publish must limit its own time, too. If ctx ends it, the
	// error wraps context.Cause(ctx).
	//
	// The error wraps [ErrUnavailable] if the store cannot be reached now, [ErrNoEvent] if it does not create
	// events, [ErrRefused] if its rules forbid this publication, and [errors.ErrUnsupported] if its events
	// carry no data. Any other error is about this event alone. After an error, the stamp may or may not have
	// changed.
	Publish(ctx context.Context, id event.ID, data []byte) (event.Stamp, error)

	// Data returns what the events carry, in the order of ids. It belongs to the stamps that Check returned
	// before, or to later publications. Data longer than limit bytes is left out. The error means that
	// nothing could be read. It is [errors.ErrUnsupported] if the events carry no data.
	Data(ctx context.Context, ids []event.ID, limit int) ([]Content, error)

	// Watch notifies of changes: it calls changed with the ids of events that may have new stamps. It returns
	// context.Cause(ctx) when ctx ends, and another error when it cannot watch any more,
	// [errors.ErrUnsupported] if it never can. A notification only makes the next check earlier; without one,
	// the periodic check finds the change.
	//
	// Something may have been published before the watch began. So Watch calls changed without ids, which
	// means any event, as soon as it watches, and whenever it may have missed a change. A store that watches
	// only the events of the interest calls changed with each of them instead, as soon as it watches that
	// event.
	Watch(ctx context.Context, interest Interest, changed func(ids ...event.ID)) error

	// Timing returns how exact the stamps are.
	Timing() Timing

	// Close closes the store's connections. No method may be called afterwards.
	Close() error
}

// Interest is the changing set of events that a process waits for. Its methods do not block.
type Interest interface {
	// Changed returns a channel. It receives a value when the set has changed since the last Diff, and one
	// before the first Diff.
	Changed() <-chan struct{}
	// Diff returns the ids added and removed since the last call. The first call returns the whole set as
	// added. An id can be missing for a few milliseconds, between a client's answer and its next poll.
	Diff() (added, removed []event.ID)
}

// Errors of a store.
var (
	// ErrUnavailable means that the store cannot be reached now.
	ErrUnavailable = errors.New("the store is not available")
	// ErrNoEvent means that the event does not exist, and that the store does not create it.
	ErrNoEvent = errors.New("there is no such event, and publishing does not create one")
	// ErrRefused means that the store's own rules forbid a publication.
	ErrRefused = errors.New("the store refuses this publication")
	// ErrTooLong means that an event's data is longer than the limit.
	ErrTooLong = errors.New("the data is longer than the limit (data.max_bytes)")
)

// IsUnsupported reports whether the error of a [Store] is [errors.ErrUnsupported]. Some errors of the kernel
// match that one, too, for example ENOSYS; they are errors of this call only.
func IsUnsupported(err error) bool {
	var errno syscall.Errno
	return errors.Is(err, errors.ErrUnsupported) && !errors.As(err, &errno)
}

// Unknown stands for a stamp that could not be read, in a [Snapshot] that has others.
const Unknown event.Stamp = -1

// Snapshot is the result of a check.
type Snapshot struct {
	// Now is the store's clock, read before the first stamp. The delivery rules compare stamps with it.
	Now event.Stamp
	// Stamps are in the order of the ids: 0 for an event that does not exist, [Unknown] for one that could
	// not be read.
	Stamps []event.Stamp
	// Partial says why some stamps are Unknown, for example because one of several servers cannot be reached.
	// It wraps [ErrUnavailable]. It is nil if no stamp is Unknown.
	Partial error
}

// CorrectNow corrects Now if the clock was set back during the check: after is the clock at the end of the
// check, and took is its duration by a clock that is never set. Without the correction, a fresh stamp would
// look old.
func (s *Snapshot) CorrectNow(after event.Stamp, took time.Duration) {
	s.Now = min(s.Now, after.Add(-took)) // rule: clock-set-back-during-a-check-was-set-back-before
}

// Content is what one event carries.
type Content struct {
	Data []byte
	// Err says why Data is left out, for example [ErrTooLong]. It is nil if Data is not left out.
	Err error
}

// Limited returns the Content of an event with this data.
func Limited(data []byte, limit int) Content {
	if len(data) > limit {
		return Content{Err: ErrTooLong}
	}
	return Content{Data: data}
}

// Timing says how exact a store's stamps are. The zero Timing is that of a store whose stamps are exact.
type Timing struct {
	// A stamp that is older than Resolution is not given to a later publication. Less than 1 µs counts as 1
	// µs.
	Resolution time.Duration
	// Lag is how far a new stamp may be behind the store's clock.
	Lag time.Duration
	// Lead is how far a new stamp may be ahead of the store's clock. It is 0 if the same clock sets both.
	Lead time.Duration
	// The data of a stamp that is older than Write has been written completely. It is 0 if a reader never
	// sees data half written.
	Write time.Duration
}
