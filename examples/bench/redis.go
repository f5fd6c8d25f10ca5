package main

import (
	"context"
	"fmt"
	"time"

	"github.com/pkg/errors"
	goredis "github.com/redis/go-redis/v9"
)

// publishElsewhere publishes events that nobody waits for, until ctx ends, and returns how many. It sends the
// commands of core/store/redis' script without the script, whose CPU time would slow down what is measured at
// the same time.
func publishElsewhere(ctx context.Context, r *goredis.Client, perSecond int) (published int, err error) {
	const interval, events = 5 * time.Millisecond, 1000
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for start := time.Now(); ; {
		select {
		case <-ctx.Done():
			return published, nil
		case <-tick.C:
		}
		due := int(time.Since(start).Seconds()*float64(perSecond)) - published
		due = min(due, perSecond/10) // A machine that is too slow publishes less.
		_, err := r.Pipelined(context.WithoutCancel(ctx), func(pipeline goredis.Pipeliner) error {
			for i := range due {
				key, stamp := fmt.Sprint("novcomet:elsewhere-", (published+i)%events), time.Now().UnixMicro()
				pipeline.HSet(ctx, key, "s", stamp)
				pipeline.Publish(ctx, key, stamp)
			}
			return nil
		})
		if err != nil {
			return published, errors.Wrap(err, "publishing other events")
		}
		published += due
	}
}
