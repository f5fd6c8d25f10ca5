//go:build e2e

package redis_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/servertest"
	"novcomet/core/store"
	"novcomet/core/store/redis"
)

// Each server sets stamps by its own clock, and a poll may wait for events of all servers.
func TestCheckCluster_ReturnsEarliestClock(t *testing.T) {
	const behind = time.Minute
	cluster := servertest.StartCluster(t, servertest.RedisOptions{}, servertest.RedisOptions{Ahead: -behind})
	names := eventOfEachServer(cluster)
	s := open(t, redis.Options{Addresses: cluster.Addresses()})
	if now := check(t, s, names[0]).Now; now.Sub(event.StampOf(time.Now())) < -behind/2 {
		t.Errorf("the time is %v, by a clock that was not read", now)
	}
	for _, checked := range [][]string{names, names[1:], names[:1], nil} {
		now := check(t, s, checked...).Now
		if latest := event.StampOf(time.Now()).Add(-behind); now > latest {
			t.Errorf("a check of %q returned the time %v; want at most %v", checked, now, latest)
		}
	}
}

// interruptions make a server of a Cluster stop answering.
var interruptions = map[string]func(*servertest.Redis) (resume func()){
	"killed": func(r *servertest.Redis) func() { r.Do("SAVE"); r.Kill(); return r.Restart },
	"frozen": func(r *servertest.Redis) func() { return r.Freeze() },
}

// startPartialCluster starts a Cluster that goes on without the slots of a server that is down. Such a server
// counts as failed after 5 s.
func startPartialCluster(t testing.TB) *servertest.Cluster {
	t.Helper()
	partial := servertest.RedisOptions{Arguments: []string{
		"--cluster-require-full-coverage", "no", "--cluster-node-timeout", "5000",
	}}
	return servertest.StartCluster(t, partial, partial, partial)
}

func TestCheckCluster_OneServerDownLeavesEventsOfOthers(t *testing.T) {
	for name, interrupt := range interruptions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const timeout = 6 * time.Second
			cluster := startPartialCluster(t)
			names := eventOfEachServer(cluster)
			s := open(t, redis.Options{Addresses: cluster.Addresses(), Timeout: timeout})
			ids := make([]event.ID, len(names))
			want := make([]event.Stamp, len(names))
			for i, name := range names {
				ids[i], want[i] = coretest.MustID(name), publish(t, s, name)
			}
			check(t, s, names...)
			resume := interrupt(cluster.Servers[1])
			want[1] = store.Unknown
			for _, isKnown := range []bool{false, true} {
				want[0] = publish(t, s, names[0])
				began := time.Now()
				snapshot, err := s.Check(t.Context(), ids)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(snapshot.Stamps, want) || !errors.Is(snapshot.Partial, store.ErrUnavailable) {
					t.Errorf("stamps %d, %v; want %d and ErrUnavailable", snapshot.Stamps, snapshot.Partial, want)
				}
				if took := time.Since(began); isKnown && took >= timeout {
					t.Errorf("a server is known to be down, and a check took %v", took)
				}
			}
			resume()
			servertest.WaitFor(t, "the events of all servers can be read", func() bool {
				snapshot, err := s.Check(t.Context(), ids)
				return err == nil && snapshot.Partial == nil
			})
			want[1] = publish(t, s, names[1])
			if got := check(t, s, names...).Stamps; !slices.Equal(got, want) {
				t.Errorf("stamps %d; want %d", got, want)
			}
		})
	}
}

// eventOfEachServer returns the name of one event for each server, in the order of the servers.
func eventOfEachServer(cluster *servertest.Cluster) []string {
	names := make([]string, len(cluster.Servers))
	for i, found := 0, 0; found < len(names); i++ {
		name := fmt.Sprint("event ", i)
		if owner := cluster.Owner(prefix + name); names[owner] == "" {
			names[owner] = name
			found++
		}
	}
	return names
}

// go-redis repeats commands for such a slot for some time.
func TestCheckCluster_SlotWithoutServerLeavesOtherEvents(t *testing.T) {
	cluster := startPartialCluster(t)
	s := open(t, redis.Options{Addresses: cluster.Addresses()})
	ids := []event.ID{coretest.MustID("lost")} // go-redis repeats a pipeline if its first command fails so.
	for _, name := range eventOfEachServer(cluster) {
		publish(t, s, name)
		ids = append(ids, coretest.MustID(name))
	}
	slot := cluster.Servers[0].Do("CLUSTER", "KEYSLOT", prefix+"lost")
	for _, server := range cluster.Servers {
		server.Do("CLUSTER", "DELSLOTS", slot)
	}
	for i := range 10 {
		snapshot, err := s.Check(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		for k, id := range ids[1:] {
			if snapshot.Stamps[k+1] == store.Unknown {
				t.Errorf("check %d: %q is unknown, and its server answers: %v", i, id, snapshot.Partial)
			}
		}
	}
}
