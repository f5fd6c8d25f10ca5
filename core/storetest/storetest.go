// Package storetest checks that a [core.Store] keeps the promises that the endpoint rests on. Whoever writes a store of
// their own calls [Test] from a test of theirs:
//
//	func TestOrdersAreAStore(t *testing.T) {
//		storetest.Test(t, storetest.Subject{
//			Open: func(t testing.TB, _ string) core.Store { return newOrders(t) },
//		})
//	}
//
// Each promise is a subtest whose name says it. What waits, waits for the thing itself, up to [Patience]; nothing depends on how
// fast the machine is.
package storetest

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"novcomet/core"
)

// Patience is how long something may take that should happen at once.
const Patience = 30 * time.Second

// Subject is the store that is tested.
type Subject struct {
	// Open opens the store. It is called for each subtest; where Place is set, also several times in one, and in other
	// processes: each time it is the same store then. What is to be closed, t.Cleanup closes.
	Open func(t testing.TB, place string) core.Store

	// Place makes what is stored into, such as a directory or a server, and returns what Open needs to find it, in this
	// process and in others. It is called once. nil: the store lives in this process alone, and Open makes a new one each
	// time.
	//
	// For the other processes Test starts the test program again, with -test.run set to this test: up to the call of Test
	// everything in it is done there, too. So what is expensive belongs here.
	Place func(t testing.TB) (place string)

	// Interrupt takes the store away, as when a server ends or can't be reached, and returns what brings it back, with or
	// without what was stored. nil: that can't be tested.
	Interrupt func(t testing.TB) (resume func())
}

// promises are what a store is tested for, in the order in which one would mend it.
var promises = []struct {
	promise string
	keep    func(*testing.T, subject)
}{
	{"an event that was never published has no stamp", neverPublished},
	{"a publication makes the stamp later and returns it", later},
	{"stamps come in the order asked", orderAsked},
	{"ids of every shape are events of their own", shapes},
	{"thousands of events are looked at at once", thousands},
	{"stamps are of the store's clock", clock},
	{"who comes by another way sees the same stamps", elsewhere},
	{"of many who publish the same event each gives it a later stamp", manyPublishers},
	{"whoever looks meanwhile never sees an earlier stamp than before", neverEarlier},
	{"an event carries the data that was published last", carriesTheLatest},
	{"a publication without data leaves what there is", keepsDataWithoutNew},
	{"data comes in the order asked, and no more of it than asked", carriesInTheOrderAsked},
	{"whoever reads data sees all of it", carriesWholeData},
	{"when its context ends, a call returns", contextEnds},
	{"a notifier tells of everything from its first call on", notifierTells},
	{"a notifier ends with its context", notifierEnds},
	{"a store that is gone says so, and comes back", goneAndBack},
}

// Test tests the store.
func Test(t *testing.T, s Subject) {
	publishHereIfAsked(t, s)
	here := subject{Subject: s}
	if s.Place != nil {
		here.place = s.Place(t)
	}
	here.test = t.Name()
	for _, p := range promises {
		t.Run(p.promise, func(t *testing.T) { p.keep(t, here) })
	}
}

// subject is a Subject whose place there is.
type subject struct {
	Subject
	place string
	test  string // its name
}

func (s subject) open(t testing.TB) core.Store {
	t.Helper()
	store := s.Open(t, s.place)
	if store == nil {
		t.Fatal("Open returned no store")
	}
	return store
}

// newID returns an id that nobody has used so far.
func newID(t testing.TB, name string) core.ID {
	t.Helper()
	return mustID(t, name+"-"+rand.Text())
}

func mustID(t testing.TB, name string) core.ID {
	t.Helper()
	id, err := core.ParseID(name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// publish publishes, and fails the test where that fails.
func publish(t testing.TB, store core.Store, id core.ID) core.Stamp {
	t.Helper()
	stamp, err := store.Publish(t.Context(), id)
	if err != nil {
		t.Fatalf("publish %q: %v", id, err)
	}
	if stamp <= 0 {
		t.Fatalf("publish %q: the stamp is %v, which no published event has", id, stamp)
	}
	return stamp
}

// look looks, and fails the test where that fails, or sees only a part.
func look(t testing.TB, store core.Store, ids ...core.ID) core.Snapshot {
	t.Helper()
	snapshot, err := lookAt(t.Context(), store, ids)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

// waitFor fails the test where the condition does not come true; where it has failed already, it waits no longer.
func waitFor(t testing.TB, what string, condition func() bool) {
	t.Helper()
	const pause = 5 * time.Millisecond
	for deadline := time.Now().Add(Patience); !t.Failed() && !condition(); time.Sleep(pause) {
		if time.Now().After(deadline) {
			t.Fatalf("after %v still not: %s", Patience, what)
		}
	}
}

// within fails the test where f does not return.
func within(t testing.TB, what string, f func()) {
	t.Helper()
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		f()
	}()
	select {
	case <-returned:
	case <-time.After(Patience):
		t.Fatalf("%s: it has not returned after %v", what, Patience)
	}
}

func lookAt(ctx context.Context, store core.Store, ids []core.ID) (core.Snapshot, error) {
	snapshot, err := store.Stamps(ctx, ids)
	switch {
	case err != nil:
		return snapshot, err
	case len(snapshot.Stamps) != len(ids):
		return snapshot, countError{len(snapshot.Stamps), len(ids)}
	}
	return snapshot, snapshot.Missed
}
