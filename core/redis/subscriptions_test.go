package redis

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

func ids(names ...string) (ids []core.ID) {
	for _, name := range names {
		id, err := core.ParseID(name)
		if err != nil {
			panic(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func expectIDs(t *testing.T, what string, got []core.ID, want ...string) {
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

func TestAnEventThatIsWaitedForAgainStaysSubscribedTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubscriptions()
		expectIDs(t, "two come", s.turn(ids("a", "b"), nil), "a", "b")
		for range 100 { // for far longer than a minute
			expectIDs(t, "one goes", s.turn(nil, ids("a")))
			time.Sleep(idleTime - time.Second)
			expectIDs(t, "too early", s.sweep())
			expectIDs(t, "it is back", s.turn(ids("a"), nil))
		}
		time.Sleep(time.Hour)
		expectIDs(t, "while they are waited for", s.sweep())
		expectIDs(t, "both go", s.turn(nil, ids("a", "b")))
		time.Sleep(idleTime)
		expectIDs(t, "after a minute", s.sweep(), "a", "b")
		expectIDs(t, "one is back", s.turn(ids("a"), nil), "a")
	})
}

func TestANewConnectionSubscribesOnlyToWhatIsWaitedFor(t *testing.T) {
	s := newSubscriptions()
	s.turn(ids("a", "b", "c"), nil)
	s.turn(nil, ids("b"))
	expectIDs(t, "all", s.all(), "a", "c")
	expectIDs(t, "what was idle then", s.turn(ids("b"), nil), "b")
}

func TestOnlySoManyStayThatNobodyWaitsFor(t *testing.T) {
	s := newSubscriptions()
	for i := range mostIdle + 1 {
		id := ids(fmt.Sprint(i))
		s.turn(id, nil)
		s.turn(nil, id)
	}
	s.turn(ids("waited"), nil)
	if n := len(s.sweep()); n != mostIdle+1 {
		t.Errorf("%d are given up; want all that are idle, %d", n, mostIdle+1)
	}
	expectIDs(t, "what is left", s.all(), "waited")
}
