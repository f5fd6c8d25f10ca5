//go:build e2e

package redis_test

import (
	"fmt"
	"testing"
	"time"

	"novcomet/core/event"
	"novcomet/core/servertest"
	"novcomet/core/store/redis"
)

// Each server sets stamps by its own clock, and a poll may wait for events of all servers.
func TestClocks_EarliestOfClusterCounts(t *testing.T) {
	const behind = 10 * time.Second
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
