package coretest

import (
	"sync"

	"novcomet/core/event"
	"novcomet/core/store"
)

// Interest is a [store.Interest] that only grows.
type Interest struct {
	changed chan struct{}

	mu    sync.Mutex
	added []event.ID // since the last Diff
}

var _ store.Interest = (*Interest)(nil)

// NewInterest returns an interest in these events.
func NewInterest(ids ...event.ID) *Interest {
	i := &Interest{changed: make(chan struct{}, 1)}
	i.Add(ids...)
	return i
}

// Add adds events.
func (i *Interest) Add(ids ...event.ID) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.added = append(i.added, ids...)
	select {
	case i.changed <- struct{}{}:
	default:
	}
}

// Changed implements [store.Interest].
func (i *Interest) Changed() <-chan struct{} { return i.changed }

// Diff implements [store.Interest].
func (i *Interest) Diff() (added, removed []event.ID) {
	i.mu.Lock()
	defer i.mu.Unlock()
	added, i.added = i.added, nil
	return added, nil
}
