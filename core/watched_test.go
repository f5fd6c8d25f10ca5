package core_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"novcomet/core"
)

// watched is a kernel that tells of changes, where it is not made to miss them.
type watched struct {
	*kernel
	delay time.Duration // until Notify listens

	mu      sync.Mutex
	changed func(...core.ID)
	fail    chan struct{} // ends the present Notify
	heard   []time.Time   // when Notify began to listen
}

var _ core.Notifier = (*watched)(nil)

func (w *watched) Notify(ctx context.Context, changed func(...core.ID)) error {
	select {
	case <-time.After(w.delay):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	fail := make(chan struct{})
	w.mu.Lock()
	w.changed, w.fail = changed, fail
	w.heard = append(w.heard, time.Now())
	w.mu.Unlock()
	changed()
	select {
	case <-fail:
		return errors.New("no more watches")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// tell tells of the newest publications, if anybody listens.
func (w *watched) tell(to *process, id core.ID, publications int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed == nil {
		return
	}
	w.kernel.mu.Lock()
	for i := range publications {
		w.publications[len(w.publications)-1-i].told[to] = time.Now()
	}
	w.kernel.mu.Unlock()
	w.changed(id)
}

// deafen makes Notify fail, so that for a while nothing is told.
func (w *watched) deafen() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed != nil {
		close(w.fail)
		w.changed = nil
	}
}
