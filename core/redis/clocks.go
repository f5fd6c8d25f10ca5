package redis

import (
	"context"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// clocks are those of a Cluster's servers, as far as they are known.
//
// The earliest is the store's clock. A poll is held until no publication can fall into a second any more, for any of its
// events, so the second has to be over on every server; and what counts as published before a poll came must be so by
// whichever clock has set its stamp. A look may ask a few servers alone, while a poll that it concerns also waits for events
// of others: so each server's difference from this machine's clock is kept from one look to the next.
type clocks struct {
	mu    sync.Mutex
	known map[string]clock // by address
}

type clock struct {
	ahead time.Duration // of this machine's, at least
	asked time.Time
}

// earliest asks the servers of the keys for their time, all at once, and returns the earliest that it is now on any server
// that is known. A server that does not answer counts with what it said before.
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
	var mu sync.Mutex
	var asking sync.WaitGroup
	answered := false
	for server := range servers {
		asking.Go(func() {
			now, err := server.Time(ctx).Result()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
				return
			}
			answered = true
			c.learn(server.Options().Addr, now)
		})
	}
	asking.Wait()
	if !answered {
		return time.Time{}, failed
	}
	return c.now(), nil
}

func (c *clocks) learn(address string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[string]clock{}
	}
	here := time.Now()
	c.known[address] = clock{now.Sub(here), here}
}

func (c *clocks) now() time.Time {
	const keep = 10 * time.Minute // A server that is not asked for so long has no more events, or is gone.
	c.mu.Lock()
	defer c.mu.Unlock()
	here := time.Now()
	var earliest time.Time
	for address, clock := range c.known {
		if here.Sub(clock.asked) > keep {
			delete(c.known, address)
			continue
		}
		if there := here.Add(clock.ahead); earliest.IsZero() || there.Before(earliest) {
			earliest = there
		}
	}
	return earliest
}
