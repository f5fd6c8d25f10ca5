package redis

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
)

func ids(names ...string) (ids []event.ID) {
	for _, name := range names {
		ids = append(ids, coretest.MustID(name))
	}
	return ids
}

func expectIDs(t *testing.T, what string, got []event.ID, want ...string) {
	t.Helper()
	names := make([]string, len(got))
	for i, id := range got {
		names[i] = id.String()
	}
	slices.Sort(names)
	if !slices.Equal(names, want) {
		t.Errorf("%s: %q; want %q", what, names, want)
	}
}

func TestSubscriptions_KeepIdleEventForOneMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := subscriptions{}
		expectIDs(t, "two are added", s.update(ids("a", "b"), nil), "a", "b")
		for range 100 { // far longer than a minute
			expectIDs(t, "one is removed", s.update(nil, ids("a")))
			time.Sleep(idleTime - time.Second)
			expectIDs(t, "too early", s.dropIdle())
			expectIDs(t, "it is added again", s.update(ids("a"), nil))
		}
		time.Sleep(time.Hour)
		expectIDs(t, "none is idle", s.dropIdle())
		expectIDs(t, "both are removed", s.update(nil, ids("a", "b")))
		time.Sleep(idleTime)
		expectIDs(t, "after a minute", s.dropIdle(), "a", "b")
		expectIDs(t, "one is added again", s.update(ids("a"), nil), "a")
	})
}

func TestSubscriptions_RestartWithWantedEventsOnly(t *testing.T) {
	s := subscriptions{}
	s.update(ids("a", "b", "c"), nil)
	s.update(nil, ids("b"))
	expectIDs(t, "restart", s.restart(), "a", "c")
	expectIDs(t, "an event that was idle", s.update(ids("b"), nil), "b")
}

func TestSubscriptions_DropAllIdleEventsIfTooMany(t *testing.T) {
	s := subscriptions{}
	for i := range maxIdle + 1 {
		id := ids(fmt.Sprint(i))
		s.update(id, nil)
		s.update(nil, id)
	}
	s.update(ids("wanted"), nil)
	if n := len(s.dropIdle()); n != maxIdle+1 {
		t.Errorf("%d events are dropped; want all %d idle ones", n, maxIdle+1)
	}
	expectIDs(t, "what is left", s.restart(), "wanted")
}
