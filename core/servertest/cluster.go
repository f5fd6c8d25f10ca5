//go:build linux

package servertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Cluster is a Redis Cluster of masters without replicas.
type Cluster struct {
	Servers []*Redis

	ids []string
}

// slots is how many slots the keys of a Cluster are divided into.
const slots = 16384

// StartCluster starts one server for each of the options, and makes a Cluster of them. A server that does not
// answer the others counts as failed after a minute, unless the options say otherwise.
func StartCluster(t testing.TB, options ...RedisOptions) *Cluster {
	t.Helper()
	c := &Cluster{}
	for i, o := range options {
		bus := FreePort(t)
		o.Arguments = slices.Concat([]string{
			"--cluster-enabled", "yes", "--cluster-port", fmt.Sprint(bus), "--cluster-node-timeout", "60000",
		}, o.Arguments)
		s := StartRedis(t, o)
		s.Do("CLUSTER", "ADDSLOTSRANGE", i*slots/len(options), (i+1)*slots/len(options)-1)
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		c.Servers, c.ids = append(c.Servers, s), append(c.ids, fmt.Sprint(s.Do("CLUSTER", "MYID")))
		if i > 0 {
			c.Servers[0].Do("CLUSTER", "MEET", "127.0.0.1", fmt.Sprint(s.port), fmt.Sprint(bus))
		}
	}
	c.WaitUntilComplete()
	return c
}

// WaitUntilComplete returns when each server knows all others, and none of them counts as failed.
func (c *Cluster) WaitUntilComplete() {
	size := fmt.Sprintf("cluster_size:%d\r", len(c.Servers))
	for _, s := range c.Servers {
		s.t.Helper()
		s.waitFor("the Cluster knows all its servers", func() bool {
			answer := fmt.Sprint(s.Do("CLUSTER", "INFO"))
			return strings.Contains(answer, "cluster_state:ok") && strings.Contains(answer, size)
		})
	}
}

// Kill kills all servers.
func (c *Cluster) Kill() {
	for _, s := range c.Servers {
		s.Kill()
	}
}

// Restart starts all servers again. They are empty.
func (c *Cluster) Restart() {
	for _, s := range c.Servers {
		s.t.Helper()
		s.Restart()
	}
	c.WaitUntilComplete()
}

// Addresses returns the addresses of all servers.
func (c *Cluster) Addresses() (addresses []string) {
	for _, s := range c.Servers {
		addresses = append(addresses, s.Address())
	}
	return addresses
}

// Owner returns the index of the server that has the key, before any Move.
func (c *Cluster) Owner(key string) int {
	slot := c.Servers[0].Do("CLUSTER", "KEYSLOT", key).(int64)
	for i := range c.Servers {
		if slot < int64((i+1)*slots/len(c.Servers)) {
			return i
		}
	}
	return -1
}

// Move moves the slot of a key from one server to another. It calls between when half of the move is done:
// the slot's keys are on the other server, but the first one still owns the slot.
func (c *Cluster) Move(key string, from, to int, between func()) {
	source, target := c.Servers[from], c.Servers[to]
	source.t.Helper()
	slot := source.Do("CLUSTER", "KEYSLOT", key)
	target.Do("CLUSTER", "SETSLOT", slot, "IMPORTING", c.ids[from])
	source.Do("CLUSTER", "SETSLOT", slot, "MIGRATING", c.ids[to])
	migrate := []any{"MIGRATE", "127.0.0.1", fmt.Sprint(target.port), "", 0, 10_000, "KEYS"}
	if keys := source.Do("CLUSTER", "GETKEYSINSLOT", slot, 1000).([]any); len(keys) > 0 {
		source.Do(append(migrate, keys...)...)
	}
	between()
	target.Do("CLUSTER", "SETSLOT", slot, "NODE", c.ids[to])
	source.Do("CLUSTER", "SETSLOT", slot, "NODE", c.ids[to])
	for i, s := range c.Servers {
		if i != from && i != to {
			s.Do("CLUSTER", "SETSLOT", slot, "NODE", c.ids[to])
		}
	}
}
