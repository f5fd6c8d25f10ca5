// Package storetest tests whether a [store.Store] keeps its contract. The test of a store calls [Test]:
//
//	func TestStore_KeepsContract(t *testing.T) {
//		storetest.Test(t, storetest.Subject{
//			Open: func(t testing.TB, _ string) store.Store { return newOrders(t) },
//		})
//	}
//
// Each rule of the contract is a subtest. No test depends on the speed of the machine: a test waits for the
// event itself, for up to 30 s.
package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
)

// patience is how long a test waits for something that should happen at once.
var patience = 30 * time.Second

// Subject is the store that is tested.
type Subject struct {
	// Open opens the store. It closes the store with t.Cleanup. Test calls Open for each subtest. If Place is
	// set, Test also calls Open several times in one subtest and in other processes, each time for the same
	// place.
	Open func(t testing.TB, place string) store.Store

	// Place creates the place where the store keeps its events, for example a directory or a server. It
	// returns what Open needs to find the place, in this process and in others. Test calls it once. It is nil
	// if the store is in this process alone; then Open creates a new store each time.
	//
	// For the other processes, Test starts the test program again, with -test.run set to this test. So they
	// also run what the test does before it calls Test. Expensive preparations belong in Place.
	Place func(t testing.TB) (place string)

	// Interrupt makes the place unavailable, as if a server had ended, and returns a function that makes it
	// available again, with or without its events. It is nil if that cannot be tested.
	Interrupt func(t testing.TB) (resume func())

	// SetStamp sets the stamp of an event, as another program could: from ten years behind the store's clock to
	// a century ahead of it. It is nil if that cannot be tested.
	SetStamp func(t testing.TB, id event.ID, stamp event.Stamp)
}

// Test tests the store. Its subtests are in the order in which to repair a store that fails them.
func Test(t *testing.T, s Subject) {
	publishIfChild(t, s)
	c := contract{Subject: s, test: t.Name()}
	if s.Place != nil {
		c.place = s.Place(t)
	}
	for _, rule := range []struct {
		name string
		test func(*testing.T)
	}{
		{"an event that was never published has stamp 0", c.neverPublished},
		{"Publish returns a later stamp each time and Check sees it", c.laterStamp},
		{"Check returns the stamps in the order of the ids", c.orderOfStamps},
		{"ids of every shape are different events", c.shapesOfIDs},
		{"Check reads thousands of events", c.thousandsOfEvents},
		{"a new stamp is within Lag and Lead of the store's clock", c.clock},
		{"a new stamp ignores an old one that is more than 2 s ahead", c.stampAhead},
		{"two stores in one place see the same stamps", c.onePlace},
		{"concurrent publishers get increasing stamps", c.concurrentPublishers},
		{"stamps never decrease during publications", c.monotonicStamps},
		{"an event carries the data that was published last", c.latestData},
		{"Data keeps the order of the ids and the limit", c.orderAndLimitOfData},
		{"Data is never a mixture and never older than the stamp", c.wholeData},
		{"calls return when their context ends", c.contextEnds},
		{"Watch notifies of every event", c.watchNotifies},
		{"Watch ends with its context", c.watchEnds},
		{"an unavailable store reports it and recovers", c.outage},
	} {
		t.Run(rule.name, rule.test)
	}
}

// contract has a method for each rule.
type contract struct {
	Subject
	place string
	test  string // the name of the test that called Test
}

func (c contract) open(t testing.TB) store.Store {
	t.Helper()
	s := c.Open(t, c.place)
	if s == nil {
		t.Fatal("Open returned no store")
	}
	return s
}

// openTwice returns two stores in one place. Without a place, it is the same store twice.
func (c contract) openTwice(t testing.TB) (one, other store.Store) {
	t.Helper()
	one = c.open(t)
	if c.Place == nil {
		return one, one
	}
	return one, c.open(t)
}

// newID returns an id that has not been used yet.
func newID(name string) event.ID { return coretest.MustID(name + "-" + rand.Text()) }

func publish(t testing.TB, s store.Store, id event.ID, data []byte) event.Stamp {
	t.Helper()
	stamp, err := s.Publish(t.Context(), id, data)
	if err != nil || stamp <= 0 {
		t.Fatalf("publish %q with %.20q: stamp %v, %v", id, data, stamp, err)
	}
	return stamp
}

// check fails the test unless all stamps could be read.
func check(t testing.TB, s store.Store, ids ...event.ID) store.Snapshot {
	t.Helper()
	snapshot, err := checkAll(t.Context(), s, ids)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

func checkAll(ctx context.Context, s store.Store, ids []event.ID) (store.Snapshot, error) {
	snapshot, err := s.Check(ctx, ids)
	if err == nil && len(snapshot.Stamps) != len(ids) {
		err = fmt.Errorf("%d stamps for %d events", len(snapshot.Stamps), len(ids))
	}
	if err == nil {
		err = snapshot.Partial
	}
	return snapshot, err
}

// waitFor waits until the condition is true. It returns at once if the test has failed already.
func waitFor(t testing.TB, what string, condition func() bool) {
	t.Helper()
	const pause = 5 * time.Millisecond
	for deadline := time.Now().Add(patience); !t.Failed() && !condition(); time.Sleep(pause) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// within fails the test if f does not return in time.
func within(t testing.TB, what string, f func()) {
	t.Helper()
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		f()
	}()
	select {
	case <-returned:
	case <-time.After(patience):
		t.Fatalf("%s did not return within %v", what, patience)
	}
}
