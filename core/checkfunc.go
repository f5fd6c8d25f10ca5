package core

import (
	"context"
	"errors"
	"fmt"
	"time"

	"novcomet/core/event"
	"novcomet/core/store"
)

// CheckFunc is a [store.Store] made of one function. It returns the time of the event's last change, or the
// zero time if the event does not exist. It is the successor of comet.php's setCallbackCheck: a program that
// knows its own events needs no other store.
//
// The events carry no data and cannot be published by URL. The times should have microseconds, by this
// machine's clock. An error means that the events cannot be read now; polls keep waiting. The function must
// limit its own time, because its ctx never ends.
type CheckFunc func(ctx context.Context, id event.ID) (time.Time, error)

var _ store.Store = CheckFunc(nil)

// Check implements [store.Store].
func (f CheckFunc) Check(ctx context.Context, ids []event.ID) (store.Snapshot, error) {
	before := time.Now()
	snapshot := store.Snapshot{Now: event.StampOf(before), Stamps: make([]event.Stamp, len(ids))}
	for i, id := range ids {
		changed, err := f(ctx, id)
		if err != nil {
			return store.Snapshot{}, fmt.Errorf("%w: event %q: %w", store.ErrUnavailable, id.String(), err)
		}
		if !changed.IsZero() {
			snapshot.Stamps[i] = event.StampOf(changed)
		}
	}
	after := time.Now()
	snapshot.CorrectNow(event.StampOf(after), after.Sub(before))
	return snapshot, nil
}

// Publish implements [store.Store]. It returns [errors.ErrUnsupported].
func (CheckFunc) Publish(context.Context, event.ID, []byte) (event.Stamp, error) {
	return 0, errors.ErrUnsupported
}

// Data implements [store.Store]. It returns [errors.ErrUnsupported].
func (CheckFunc) Data(context.Context, []event.ID, int) ([]store.Content, error) {
	return nil, errors.ErrUnsupported
}

// Watch implements [store.Store]. It returns [errors.ErrUnsupported].
func (CheckFunc) Watch(context.Context, store.Interest, func(...event.ID)) error {
	return errors.ErrUnsupported
}

// Timing implements [store.Store]. A time may be seen up to 20 ms after it was set.
func (CheckFunc) Timing() store.Timing { return store.Timing{Lag: 20 * time.Millisecond} }

// Close implements [store.Store].
func (CheckFunc) Close() error { return nil }
