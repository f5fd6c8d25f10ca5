package redistest

import (
	"fmt"
	"strings"
	"testing"
)

// Cluster is a Redis Cluster of masters alone.
type Cluster struct {
	Servers []*Server

	ids []string
}

const slots = 16384

// StartCluster starts servers, which are not started yet, and makes a Cluster of them.
func StartCluster(t testing.TB, servers ...*Server) *Cluster {
	t.Helper()
	c := &Cluster{Servers: servers}
	buses := make([]int, len(servers))
	for i, s := range servers {
		buses[i] = freePort(t)
		s.Arguments = append(s.Arguments, "--cluster-enabled", "yes", "--cluster-port", fmt.Sprint(buses[i]), "--cluster-node-timeout", "5000")
		s.Start(t)
		s.Do("CLUSTER", "ADDSLOTSRANGE", i*slots/len(servers), (i+1)*slots/len(servers)-1)
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		c.ids = append(c.ids, fmt.Sprint(s.Do("CLUSTER", "MYID")))
	}
	for i, s := range servers[1:] {
		servers[0].Do("CLUSTER", "MEET", "127.0.0.1", fmt.Sprint(s.port), fmt.Sprint(buses[i+1]))
	}
	c.await()
	return c
}

// await returns when each server knows all others.
func (c *Cluster) await() {
	for _, s := range c.Servers {
		s.t.Helper()
		s.waitFor("the Cluster knows all its servers", func() bool {
			answer := fmt.Sprint(s.Do("CLUSTER", "INFO"))
			return strings.Contains(answer, "cluster_state:ok") && strings.Contains(answer, fmt.Sprintf("cluster_size:%d\r", len(c.Servers)))
		})
	}
}

// Kill kills all servers.
func (c *Cluster) Kill() {
	for _, s := range c.Servers {
		s.Kill()
	}
}

// Restart starts all servers again, empty.
func (c *Cluster) Restart() {
	for _, s := range c.Servers {
		s.t.Helper()
		s.Restart()
	}
	c.await()
}

// Addresses are those of all servers.
func (c *Cluster) Addresses() (addresses []string) {
	for _, s := range c.Servers {
		addresses = append(addresses, s.Address())
	}
	return addresses
}

// Owner returns which of the servers has the key, before any Move.
func (c *Cluster) Owner(key string) int {
	slot := c.Servers[0].Do("CLUSTER", "KEYSLOT", key).(int64)
	for i := range c.Servers {
		if slot < int64((i+1)*slots/len(c.Servers)) {
			return i
		}
	}
	return -1
}

// Move moves the slot of the key from one server to another. between is called when half of the move is done: the slot's keys
// are on the other server, but the first one still owns it.
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
