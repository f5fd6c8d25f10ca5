package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// measurePrograms measures each program, then streams of comet-fcgi beside polls.
func (b *bench) measurePrograms(ctx context.Context) error {
	for _, program := range programs {
		if b.only == "" || b.only == program {
			if err := b.measureProgram(ctx, program); err != nil {
				return err
			}
		}
	}
	if b.streams == 0 || b.only == plain {
		return nil
	}
	return b.measureStreams(ctx)
}

func (b *bench) measureProgram(ctx context.Context, program string) error {
	m := b.report.add("a single client", program, 1, singleFigures)
	err := b.measureFresh(ctx, program, m, func(s *subject) error { return b.measureSingle(ctx, s, m) })
	for _, n := range b.waiters {
		if err != nil {
			return err
		}
		m := b.report.add(fmt.Sprintf("%d clients", n), program, n, crowdFigures)
		err = b.measureFresh(ctx, program, m, func(s *subject) error { return b.measureCrowd(ctx, s, m) })
	}
	return err
}

// measureFresh starts the program anew for a measurement.
func (b *bench) measureFresh(ctx context.Context, program string, m *measurement, measure func(*subject) error) error {
	b.show(m, "starting")
	s, err := b.start(ctx, program)
	if err != nil {
		return errors.WithMessage(err, program)
	}
	defer s.stop()
	err = measure(s)
	if log := s.log(); err != nil && log != "" {
		const end = 1000
		err = fmt.Errorf("%w; the end of the log:\n%s", err, log[max(0, len(log)-end):])
	}
	return errors.WithMessagef(err, "%s, %s", m.Program, m.table)
}

func (b *bench) show(m *measurement, what string) {
	b.progress.show(fmt.Sprintf("%s, %s: %s", m.Program, m.table, what))
}

// measureSingle measures how soon a single client has its answer. The plain program takes a second on
// average; it sleeps meanwhile, so many clients are measured at the same time, each with an event of its own.
func (b *bench) measureSingle(ctx context.Context, s *subject, m *measurement) error {
	lanes, spread := 1, 5*time.Millisecond
	if s.name == plain {
		lanes, spread = 32, sleep // It publishes at any time between two checks.
	}
	b.show(m, "touching")
	if err := s.createEvents(lanes); err != nil {
		return err
	}
	latencies, errs := make([]samples, lanes), make([]error, lanes)
	n := (b.samples + lanes - 1) / lanes
	var measuring sync.WaitGroup
	for lane := range lanes {
		measuring.Go(func() {
			c := &client{subject: s}
			defer c.leave()
			if errs[lane] = c.subscribe(event(lane)); errs[lane] == nil {
				latencies[lane], errs[lane] = c.samples(ctx, n, spread, func() error { return s.touch(c.id) })
			}
		})
	}
	measuring.Wait()
	m.addQuantiles("touch", slices.Concat(latencies...))
	return cmp.Or(errs...)
}

// measureCrowd measures many clients: that wait for one event, then for an event each, then leave.
func (b *bench) measureCrowd(ctx context.Context, s *subject, m *measurement) error {
	const leaves = 3
	if err := s.createEvents(m.Waiters); err != nil {
		return err
	}
	c, err := b.measureRounds(ctx, s, m, false, b.rounds)
	if err != nil {
		return err
	}
	defer c.leave()
	b.show(m, "an event each")
	if _, err := c.answer(func() error { return s.touch(event(0)) }); err != nil {
		return err
	}
	for i, one := range c.clients {
		if err := one.subscribe(event(i)); err != nil {
			return err
		}
	}
	if err := c.poll(ctx); err != nil {
		return err
	}
	_, err = c.answer(func() error {
		for _, one := range c.clients {
			if err := s.touch(one.id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.poll(ctx); err != nil {
		return err
	}
	if err := c.idle(ctx, b.window, m, "_events"); err != nil {
		return err
	}
	b.show(m, "leaving")
	for range leaves {
		if err := measureLeaving(ctx, m, 3*time.Second, c.leave, c.waiting); err != nil {
			return err
		}
		if err := c.poll(ctx); err != nil {
			return err
		}
	}
	return nil
}

// measureStreams measures streams of comet-fcgi, and as many polls beside them.
func (b *bench) measureStreams(ctx context.Context) error {
	const publications = 20
	for _, kind := range []string{"streams", "polls"} {
		m := b.report.add(fmt.Sprintf("%d streams, %d polls", b.streams, b.streams), kind, b.streams, streamFigures)
		err := b.measureFresh(ctx, cometFCGI, m, func(s *subject) error {
			if err := s.createEvents(1); err != nil {
				return err
			}
			c, err := b.measureRounds(ctx, s, m, kind == "streams", publications)
			if err == nil {
				c.leave()
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// measureRounds measures clients that wait for one event, get an answer and wait again.
func (b *bench) measureRounds(
	ctx context.Context, s *subject, m *measurement, streams bool, rounds int,
) (*crowd, error) {
	b.show(m, "connecting")
	c, err := newCrowd(s, m.Waiters, streams)
	if err != nil {
		return nil, err
	}
	err = c.poll(ctx)
	for i := 0; err == nil && i < rounds; i++ {
		b.show(m, "one event")
		err = c.round(ctx, m, func() error { return s.touch(event(0)) })
	}
	if err == nil {
		err = c.idle(ctx, b.window, m, "")
	}
	if err != nil {
		c.leave()
	}
	return c, err
}
