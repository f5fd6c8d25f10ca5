package coretest

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"novcomet/core/event"
	"novcomet/core/store"
)

// Lag is the lag of a [Memory]'s stamps.
const Lag = 20 * time.Millisecond

// Memory is a [store.Store] whose clock is time.Now, so it works in a synctest bubble. Its parts can be made
// to fail.
type Memory struct {
	// StoreTiming is what Timing returns. NewMemory sets Lag.
	StoreTiming store.Timing
	// Slow is how long each check takes.
	Slow time.Duration
	// Watchable makes Watch notify of publications. Otherwise, Watch returns [errors.ErrUnsupported].
	Watchable bool

	mu       sync.Mutex
	stamps   map[event.ID]event.Stamp
	data     map[event.ID][]byte
	err      error // of Check and Publish
	dataErr  error // of Data
	back     time.Duration
	checks   []time.Time
	checked  int // events, in all checks
	dataRead int // events whose data was read
	watchers map[*func(...event.ID)]bool
}

var _ store.Store = (*Memory)(nil)

// NewMemory returns a store without events.
func NewMemory() *Memory {
	return &Memory{
		StoreTiming: store.Timing{Lag: Lag},
		stamps:      map[event.ID]event.Stamp{}, data: map[event.ID][]byte{}, watchers: map[*func(...event.ID)]bool{},
	}
}

// Check implements [store.Store]. The stamps are read at the end of Slow.
func (m *Memory) Check(_ context.Context, ids []event.ID) (store.Snapshot, error) {
	time.Sleep(m.Slow)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.checks = append(m.checks, time.Now())
	m.checked += len(ids)
	snapshot := store.Snapshot{Now: event.StampOf(time.Now().Add(-m.back))}
	for _, id := range ids {
		snapshot.Stamps = append(snapshot.Stamps, m.stamps[id])
	}
	return snapshot, m.err
}

// Publish implements [store.Store].
func (m *Memory) Publish(_ context.Context, id event.ID, data []byte) (event.Stamp, error) {
	stamp, err := m.publish(id, data)
	if err == nil {
		m.notify(id)
	}
	return stamp, err
}

func (m *Memory) publish(id event.ID, data []byte) (event.Stamp, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return 0, m.err
	}
	const ahead = 2 * event.Second // An older stamp that is further ahead is ignored.
	stamp, before := event.StampOf(time.Now()), m.stamps[id]
	if before >= stamp && before <= stamp+ahead {
		stamp = before + event.Microsecond
	}
	m.stamps[id] = stamp
	if data != nil {
		m.data[id] = data
	}
	return stamp, nil
}

// Data implements [store.Store].
func (m *Memory) Data(_ context.Context, ids []event.ID, limit int) ([]store.Content, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dataRead += len(ids)
	contents := make([]store.Content, len(ids))
	for i, id := range ids {
		contents[i] = store.Limited(m.data[id], limit)
	}
	return contents, m.dataErr
}

// Watch implements [store.Store].
func (m *Memory) Watch(ctx context.Context, _ store.Interest, changed func(...event.ID)) error {
	if !m.Watchable {
		return errors.ErrUnsupported
	}
	m.mu.Lock()
	m.watchers[&changed] = true
	m.mu.Unlock()
	changed()
	<-ctx.Done()
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.watchers, &changed)
	return context.Cause(ctx)
}

// Timing implements [store.Store].
func (m *Memory) Timing() store.Timing { return m.StoreTiming }

// Close implements [store.Store].
func (m *Memory) Close() error { return nil }

// Set sets the stamp of an event without a notification, as a program other than NovComet does. The zero time
// removes the event.
func (m *Memory) Set(name string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at.IsZero() {
		delete(m.stamps, MustID(name))
	} else {
		m.stamps[MustID(name)] = event.StampOf(at)
	}
}

// SetData replaces the data of an event, and not its stamp.
func (m *Memory) SetData(name, data string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.data[MustID(name)] = []byte(data)
}

// Happen gives the events the stamp of now, and notifies of all of them at once.
func (m *Memory) Happen(names ...string) {
	for _, name := range names {
		m.Set(name, time.Now())
	}
	m.Notify(names...)
}

// Notify notifies of changes; without names, of any.
func (m *Memory) Notify(names ...string) {
	var ids []event.ID
	for _, name := range names {
		ids = append(ids, MustID(name))
	}
	m.notify(ids...)
}

// notify calls the watchers without the lock, because they may check the store.
func (m *Memory) notify(ids ...event.ID) {
	m.mu.Lock()
	watchers := maps.Clone(m.watchers)
	m.mu.Unlock()
	for changed := range watchers {
		(*changed)(ids...)
	}
}

// Fail makes Check and Publish return the error; nil ends that.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// FailData makes Data return the error; nil ends that.
func (m *Memory) FailData(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dataErr = err
}

// SetBack sets the clock that Check reads back.
func (m *Memory) SetBack(by time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.back = by
}

// Stamps returns the stamps of all events.
func (m *Memory) Stamps() map[string]event.Stamp {
	m.mu.Lock()
	defer m.mu.Unlock()
	stamps := map[string]event.Stamp{}
	for id, stamp := range m.stamps {
		stamps[id.String()] = stamp
	}
	return stamps
}

// DataOf returns the data of an event.
func (m *Memory) DataOf(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return string(m.data[MustID(name)])
}

// Checks returns when the store was checked, after the start of the bubble.
func (m *Memory) Checks() (at []time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, check := range m.checks {
		at = append(at, check.Sub(Start))
	}
	return at
}

// Counts returns how many events were checked, in all checks together, and of how many the data was read.
func (m *Memory) Counts() (checked, dataRead int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.checked, m.dataRead
}
