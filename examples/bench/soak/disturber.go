package soak

import (
	"context"
	"time"
)

// restartUntil ends comet-fcgi every few seconds and starts it again, as systemd does: its socket stays open, and
// requests wait in it.
func (s *soak) restartUntil(ctx context.Context, end time.Time) {
	for s.calm(ctx, end) {
		from := now()
		if err := s.restart(ctx); err != nil && ctx.Err() == nil {
			s.failed("restarting", err)
		}
		s.mu.Lock()
		s.outages = append(s.outages, outage{from, now()})
		s.mu.Unlock()
	}
}

// reloadUntil reloads the web server every few seconds.
func (s *soak) reloadUntil(ctx context.Context, end time.Time) {
	for s.calm(ctx, end) {
		if err := s.reload(); err != nil {
			s.failed("reloading", err)
		}
		s.mu.Lock()
		s.reloads++
		s.mu.Unlock()
	}
}

// calm waits 1 to 5 s, and reports whether there is time for more.
func (s *soak) calm(ctx context.Context, end time.Time) bool {
	const least, more = time.Second, 4 * time.Second
	pause := least + random(more)
	return time.Now().Add(pause).Before(end) && wait(ctx, pause) == nil
}
