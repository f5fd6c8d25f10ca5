package check_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/event"
	"novcomet/core/store"
	"novcomet/fcgi/internal/check"
)

// remoteStore is a store on another machine.
type remoteStore struct {
	core.CheckFunc
	err    error
	delay  time.Duration
	behind time.Duration
}

func (r remoteStore) Check(_ context.Context, ids []event.ID) (store.Snapshot, error) {
	time.Sleep(r.delay)
	return store.Snapshot{Now: event.StampOf(time.Now().Add(-r.behind)), Stamps: make([]event.Stamp, len(ids))}, r.err
}

func (r remoteStore) Publish(context.Context, event.ID, []byte) (event.Stamp, error) { return 1, r.err }

func TestStore(t *testing.T) {
	t.Parallel()
	const ok, warning, problem = check.OK, check.Warning, check.Problem
	gone := fmt.Errorf("%w: connection refused", store.ErrUnavailable)
	for _, test := range []struct {
		name    string
		store   remoteStore
		verdict check.Verdict
		about   string
		words   []string
	}{
		{"good", remoteStore{}, ok, "store", []string{"answers after"}},
		{"not started", remoteStore{err: gone}, problem, "store", []string{"connection refused", "start it"}},
		{"slow", remoteStore{delay: 150 * time.Millisecond}, warning, "store", []string{"answers after", "nearer"}},
		{"the clock agrees", remoteStore{}, ok, "clock", []string{"the store's clock agrees"}},
		{"the clock is behind", remoteStore{behind: time.Minute}, warning, "clock", []string{"1m0s behind", "NTP"}},
		{"the clock is ahead", remoteStore{behind: -time.Minute}, warning, "clock", []string{"1m0s ahead of", "NTP"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := installation{store: test.store, env: []string{"COMET_STORE=redis"}}.check(t)
			wantFinding(t, r, test.verdict, test.about, test.words...)
		})
	}
	t.Run("invalid settings", func(t *testing.T) {
		t.Parallel()
		r := installation{storeError: errors.New("redis.password_file: no such file")}.check(t)
		wantFinding(t, r, problem, "store", "redis.password_file")
	})
}
