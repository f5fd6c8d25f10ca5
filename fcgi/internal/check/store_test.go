package check_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/fcgi/internal/check"
)

// remoteStore is a store on another machine.
type remoteStore struct {
	err    error
	delay  time.Duration
	behind time.Duration
}

func (r remoteStore) Stamps(_ context.Context, ids []core.ID) (core.Snapshot, error) {
	time.Sleep(r.delay)
	return core.Snapshot{Now: core.StampOf(time.Now().Add(-r.behind)), Stamps: make([]core.Stamp, len(ids))}, r.err
}

func (r remoteStore) Publish(context.Context, core.ID) (core.Stamp, error) { return 1, r.err }

func TestStore(t *testing.T) {
	t.Parallel()
	const ok, warning, problem = check.OK, check.Warning, check.Problem
	for _, test := range []struct {
		name    string
		i       installation
		verdict check.Verdict
		about   string
		words   []string
	}{
		{"good", installation{store: remoteStore{}}, ok, "store", []string{"answers after"}},
		{"the clock agrees", installation{store: remoteStore{}}, ok, "clock", []string{"the store's clock agrees"}},
		{"not started", installation{store: remoteStore{err: fmt.Errorf("%w: connection refused", core.ErrUnavailable)}},
			problem, "store", []string{"connection refused", "start it"}},
		{"invalid settings", installation{storeError: errors.New("redis.password_file: no such file")},
			problem, "store", []string{"redis.password_file"}},
		{"slow", installation{store: remoteStore{delay: 150 * time.Millisecond}}, warning, "store", []string{"answers after", "nearer"}},
		{"clock behind", installation{store: remoteStore{behind: time.Minute}}, warning, "clock", []string{"1m0s behind", "NTP"}},
		{"clock ahead", installation{store: remoteStore{behind: -time.Minute}}, warning, "clock", []string{"1m0s ahead of", "NTP"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			wantFinding(t, test.i.check(t), test.verdict, test.about, test.words...)
		})
	}
}
