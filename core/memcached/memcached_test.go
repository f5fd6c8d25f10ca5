//go:build e2e

package memcached_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/memcached"
)

const patience = 30 * time.Second

// open opens the store of these servers, with commas between. Nothing healthy takes that long, also on a loaded machine.
func open(t testing.TB, servers string) *memcached.Store {
	t.Helper()
	const patient = 10 * time.Second // On a crowded machine a server that is well may be kept from answering for some seconds.
	return openWith(t, memcached.Options{Servers: strings.Split(servers, ","), Prefix: "novcomet:", Timeout: patient})
}

func openWith(t testing.TB, o memcached.Options) *memcached.Store {
	t.Helper()
	store, err := memcached.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func mustID(t testing.TB, name string) core.ID {
	t.Helper()
	id, err := core.ParseID(name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func publish(t testing.TB, store core.Store, name string) core.Stamp {
	t.Helper()
	stamp, err := store.Publish(t.Context(), mustID(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return stamp
}

func stamp(t testing.TB, store core.Store, name string) core.Stamp {
	t.Helper()
	seen, err := store.Stamps(t.Context(), []core.ID{mustID(t, name)})
	if err != nil {
		t.Fatal(err)
	}
	return seen.Stamps[0]
}

// waitFor fails the test where the condition does not come true.
func waitFor(t testing.TB, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !condition() {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("after %v still not: %s", patience, what)
		}
	}
}
