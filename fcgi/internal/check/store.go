package check

import (
	"context"
	"time"

	"novcomet/core/event"
)

// checkStore opens the store, measures how long a check of it takes, and compares clocks.
func (c *checker) checkStore(ctx context.Context) {
	c.topic = "store"
	const rounds, slow, skew = 5, 100 * time.Millisecond, time.Second
	opened, err := c.options.OpenStore(c.config)
	if err != nil {
		c.problem("correct the settings of the store", "%v", err)
		return
	}
	c.store = opened
	best, ahead := time.Hour, time.Duration(0)
	for range rounds {
		begin := time.Now()
		snapshot, err := opened.Check(ctx, []event.ID{c.id})
		if err == nil {
			err = snapshot.Partial
		}
		if err != nil {
			remedy := "start it, or correct the group " + c.config.Store + " of comet.yaml"
			if c.config.Store == "files" {
				remedy = "see directory above"
			}
			c.problem(remedy+"; until it answers, polls end unchanged and nobody can publish",
				"the store %s does not answer: %v", c.config.Store, err)
			return
		}
		if took := time.Since(begin); took < best {
			best, ahead = took, snapshot.Now.Sub(event.StampOf(begin.Add(took/2)))
		}
	}
	if best > slow {
		c.warn("use a server that is nearer", "the store %s answers after %v", c.config.Store, round(best))
	} else {
		c.ok("the store %s answers after %v", c.config.Store, round(best))
	}
	c.checkClock("the store's clock", ahead, skew)
}

// checkClock judges how far another clock is ahead of this machine's.
func (c *checker) checkClock(whose string, ahead, tolerance time.Duration) {
	c.topic = "clock"
	const remedy = "synchronize the clocks of all machines (NTP)"
	switch {
	case ahead > tolerance:
		c.warn(remedy, "%s is %v ahead of this machine's", whose, round(ahead))
	case ahead < -tolerance:
		c.warn(remedy, "%s is %v behind this machine's", whose, round(-ahead))
	default:
		c.ok("%s agrees with this machine's, within %v", whose, tolerance)
	}
}
