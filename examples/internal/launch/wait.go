package launch

import (
	"context"
	"errors"
	"time"

	pkgerrors "github.com/pkg/errors"
)

// Sleep waits for d. If the context ends first, Sleep returns its cause.
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

// Until calls ready at this interval until it returns nil. It returns an error when the context ends, with
// the last error of ready, or when the channel ended is closed. ended may be nil.
func Until(ctx context.Context, interval time.Duration, ended <-chan struct{}, ready func() error) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return errors.New("the process has ended")
		case <-ctx.Done():
			return pkgerrors.Wrapf(err, "not ready in time (%v)", ctx.Err())
		case <-ticker.C:
		}
	}
}
