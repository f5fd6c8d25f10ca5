package soak

import (
	"context"
	"errors"
	"strings"

	"novcomet/examples/internal/launch"
)

// runPrecise polls again at once after each answer. After a failed request it tries again, as a page does.
func (p *page) runPrecise(ctx context.Context) {
	for {
		if err := p.poll(ctx, p.query()); p.givesUp(ctx, err) {
			return
		}
	}
}

// getCursors asks for the cursors until it has them. There are none while the store cannot be reached.
func (p *page) getCursors(ctx context.Context) error {
	for _, id := range p.IDs {
		p.cursors[id] = "now"
	}
	for {
		err := p.poll(ctx, p.query()+"wait=0")
		if p.givesUp(ctx, err) {
			return err
		}
		if err == nil && !strings.Contains(p.query(), "=now") {
			return nil
		}
		if err := launch.Sleep(ctx, retryPause); err != nil {
			return err
		}
	}
}

// givesUp waits after a failed request. It reports whether the page ends: it was closed, or the answer was
// invalid.
func (p *page) givesUp(ctx context.Context, err error) bool {
	return err != nil && (errors.Is(err, errInvalid) || launch.Sleep(ctx, retryPause) != nil)
}

func (p *page) query() string {
	var query strings.Builder
	for _, id := range p.IDs {
		query.WriteString("subscribed[" + id + "]=" + p.cursors[id] + "&")
	}
	if p.data {
		query.WriteString("data=1&")
	}
	return query.String()
}
