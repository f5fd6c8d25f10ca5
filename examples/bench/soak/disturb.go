package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"novcomet/examples/internal/launch"
)

// disturbance is a kind of fault that lasts for a while.
type disturbance struct {
	kind    string
	group   string        // Only one of a group is disturbed at a time.
	longest time.Duration // how long it lasts at most
	start   func(occurrence) (stop, error)
}

// occurrence is one time that a disturbance happens.
type occurrence struct {
	*disturbanceRecord // its record
	ctx                context.Context
	random             *rand.Rand
}

// stop ends a disturbance. If it is nil, there is nothing to end.
type stop func() error

// then returns a stop that does not fail.
func then(end func()) (stop, error) { return func() error { end(); return nil }, nil }

// harmless are the kinds that must affect no page.
var harmless = []string{"restart", "reload"}

// chooseDisturbances returns those of Options.Disturb.
func (s *soak) chooseDisturbances() ([]disturbance, error) {
	wanted := s.options.Disturb
	if len(wanted) == 0 {
		wanted = harmless
	}
	all := slices.Concat(s.ofComet(), s.ofWebServer(), s.store.disturbances(s))
	var kinds []string
	for _, d := range all {
		kinds = append(kinds, d.kind)
	}
	for _, kind := range wanted {
		if kind != "all" && !slices.Contains(kinds, kind) && len(s.options.Disturb) > 0 {
			return nil, fmt.Errorf("there is no disturbance %q here: choose from all, %s", kind, strings.Join(kinds, ", "))
		}
	}
	return slices.DeleteFunc(all, func(d disturbance) bool {
		return !slices.Contains(wanted, "all") && !slices.Contains(wanted, d.kind)
	}), nil
}

// disturbUntil disturbs until the end: up to three things at a time, then nothing for some seconds. Only the
// seed decides what, when and for how long.
func (s *soak) disturbUntil(ctx context.Context, end time.Time) {
	const most, least, more, apart = 3, time.Second, 5 * time.Second, 2 * time.Second
	r := rand.New(rand.NewPCG(s.options.Seed, 0))
	for len(s.disturbances) > 0 {
		pause := least + time.Duration(r.Int64N(int64(more)))
		if time.Now().Add(pause).After(end) || launch.Sleep(ctx, pause) != nil {
			return
		}
		var running sync.WaitGroup
		var groups []string
		n := 1 + r.IntN(most)
		for _, i := range r.Perm(len(s.disturbances)) {
			d := s.disturbances[i]
			if len(groups) == n || slices.Contains(groups, d.group) {
				continue
			}
			groups = append(groups, d.group)
			own := rand.New(rand.NewPCG(r.Uint64(), 0))
			delay := time.Duration(r.Int64N(int64(apart)))
			lasts := time.Duration(r.Int64N(int64(max(d.longest, 1))))
			running.Go(func() {
				if launch.Sleep(ctx, delay) == nil {
					s.disturb(ctx, d, own, lasts)
				}
			})
		}
		running.Wait()
	}
}

// disturb disturbs one thing for a time, and records it.
func (s *soak) disturb(ctx context.Context, d disturbance, r *rand.Rand, lasts time.Duration) {
	if d.group == cometGroup {
		s.comet.Lock()
		defer s.comet.Unlock()
	}
	record := &disturbanceRecord{Kind: d.kind, Start: now()}
	err := d.run(occurrence{record, ctx, r}, lasts)
	record.End = now()
	s.history.add(record)
	if err != nil && ctx.Err() == nil {
		s.fail(d.kind, err)
	}
}

func (d disturbance) run(o occurrence, lasts time.Duration) (err error) {
	defer RecoverFatal(&err)
	end, err := d.start(o)
	if end == nil {
		return err
	}
	_ = launch.Sleep(o.ctx, lasts)
	return errors.Join(err, end()) // It must be ended in any case.
}
