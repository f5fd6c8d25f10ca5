package launch

import (
	"context"
	"time"

	"github.com/pkg/errors"
)

// Sleep waits for d. It returns an error when the context ends before.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// Until calls ready at this interval until it returns nil. It gives up when the context ends or ended is
// closed, which may be nil.
func Until(ctx context.Context, interval time.Duration, ended <-chan struct{}, ready func() error) error {
	again := time.NewTicker(interval)
	defer again.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return errors.New("its process has ended")
		case <-ctx.Done():
			return errors.Wrapf(err, "no answer in time (%v)", ctx.Err())
		case <-again.C:
		}
	}
}
