package check

import (
	"context"
	"maps"
	"slices"
	"time"

	"novcomet/core"
)

// reach looks at whether the store can be looked at, how long that takes and what its clock says.
func (c *checker) reach(ctx context.Context) {
	const check = "store"
	const looks = 5
	const slow, apart = 100 * time.Millisecond, time.Second
	store, shut, err := c.Store(c.config)
	if err != nil {
		c.problem(check, "correct it", "%v", err)
		return
	}
	c.store, c.shut = store, shut
	var took []time.Duration
	var ahead time.Duration
	for range looks {
		begin := time.Now()
		snapshot, err := store.Stamps(ctx, []core.ID{c.id})
		if err == nil {
			err = snapshot.Missed
		}
		if err != nil {
			c.problem(check, "start it, or correct the group "+c.config.Store+" of comet.yaml; until it answers, polls end unchanged and nobody can publish",
				"the store %s does not answer: %v", c.config.Store, err)
			return
		}
		took = append(took, time.Since(begin))
		ahead = snapshot.Now.Sub(core.StampOf(begin.Add(took[0] / 2)))
	}
	slices.Sort(took)
	switch median := took[looks/2]; {
	case median > slow:
		c.warn(check, "use a server that is nearer", "the store %s answers after %v", c.config.Store, short(median))
	default:
		c.ok(check, "the store %s answers after %v", c.config.Store, short(median))
	}
	if ahead.Abs() > apart {
		c.warn(check, "keep the clocks of all machines in time (NTP)", "its clock is %v %s this machine's", short(ahead.Abs()), direction(ahead))
	}
}

func direction(d time.Duration) string {
	if d > 0 {
		return "ahead of"
	}
	return "behind"
}

// short is a duration as a person reads it.
func short(d time.Duration) time.Duration {
	switch {
	case d >= time.Second:
		return d.Round(100 * time.Millisecond)
	case d >= time.Millisecond:
		return d.Round(100 * time.Microsecond)
	default:
		return d.Round(time.Microsecond)
	}
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
