package redis

import (
	"context"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// clocks are the known clocks of a Cluster's servers.
//
// The earliest of them is the store's clock, for two reasons. A legacy poll is held until its second has
// ended on every server. And a stamp counts as older than a poll only if it is older by the clock that set
// it. A check may ask only some of the servers, while its polls also wait for events of others. So the
// difference between each server's clock and this machine's clock is kept for the next checks.
type clocks struct {
	mu    sync.Mutex
	known map[string]reading // by the server's address
}

// reading is the last answer of a server to the command TIME.
type reading struct {
	ahead time.Duration // of this machine's clock, at least
	at    time.Time
}

// earliest asks the servers of the keys for their time, all at once, and returns the earliest present time of
// all known servers. A server that does not answer counts with its last reading. The error means that no
// server answered.
func (c *clocks) earliest(ctx context.Context, cluster *goredis.ClusterClient, keys []string) (time.Time, error) {
	servers := map[*goredis.Client]bool{}
	var failed error
	for _, key := range keys {
		server, err := cluster.MasterForKey(ctx, key)
		if err != nil {
			failed = err
			continue
		}
		servers[server] = true
	}
	errs := make(chan error, len(servers))
	for server := range servers {
		go func() {
			now, err := server.Time(ctx).Result()
			if err == nil {
				c.keep(server.Options().Addr, now)
			}
			errs <- err
		}()
	}
	answered := false
	for range servers {
		if err := <-errs; err != nil {
			failed = err
		} else {
			answered = true
		}
	}
	if !answered {
		return time.Time{}, failed
	}
	return c.now(), nil
}

func (c *clocks) keep(address string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[string]reading{}
	}
	here := time.Now()
	c.known[address] = reading{now.Sub(here), here}
}

// now returns the earliest present time of the known servers.
func (c *clocks) now() (earliest time.Time) {
	const maxAge = 10 * time.Minute // After that, the server has no event that a poll waits for, or is gone.
	c.mu.Lock()
	defer c.mu.Unlock()
	here := time.Now()
	for address, last := range c.known {
		if here.Sub(last.at) > maxAge {
			delete(c.known, address)
			continue
		}
		if there := here.Add(last.ahead); earliest.IsZero() || there.Before(earliest) {
			earliest = there
		}
	}
	return earliest
}
