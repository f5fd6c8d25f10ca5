package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"novcomet/examples/internal/launch"
)

// measurePrograms compares the programs: a single client, polls on new and on kept connections, streams.
func (b *bench) measurePrograms(ctx context.Context) error {
	err := b.compare(ctx, 1, "client", singleFigures, b.measureSingle)
	for _, n := range b.waiters {
		for _, kind := range []string{polls, kept} {
			if err == nil {
				err = b.compare(ctx, n, kind, crowdFigures, b.measureCrowds)
			}
		}
	}
	if err != nil || b.streams == 0 || b.only == plain {
		return err
	}
	return b.compare(ctx, b.streams, streams, streamFigures, b.measureRounds)
}

// compare starts the programs, each for n clients of its own, and calls measure.
func (b *bench) compare(
	ctx context.Context, n int, kind string, rows []figure, measure func(context.Context, []*crowd) error,
) error {
	var crowds []*crowd
	for _, program := range b.programs() {
		if b.only != "" && b.only != program || kind == streams && program == plain {
			continue
		}
		m := b.report.add(titleOf(n, kind), program, n, rows)
		b.show(m, "starting")
		s, err := b.start(ctx, program, kind == kept)
		if err != nil {
			return fmt.Errorf("%s: %w", program, err)
		}
		defer s.stop()
		c, err := newCrowd(s, m, kind == streams)
		if err != nil {
			return err
		}
		defer c.leave()
		crowds = append(crowds, c)
	}
	return measure(ctx, crowds)
}

// each calls measure for one program after the other.
func (b *bench) each(crowds []*crowd, what string, measure func(*crowd) error) error {
	for _, c := range crowds {
		b.show(c.measurement, what)
		if err := measure(c); err != nil {
			if log := c.log(); log != "" {
				const end = 1000
				err = fmt.Errorf("%w; the end of the log:\n%s", err, log[max(0, len(log)-end):])
			}
			return fmt.Errorf("%s, %s: %w", c.Program, c.Table, err)
		}
	}
	return nil
}

func (b *bench) show(m *measurement, what string) {
	b.progress.show(fmt.Sprintf("%s, %s: %s", m.Program, m.Table, what))
}

// measureSingle measures how soon a single client has its answer.
func (b *bench) measureSingle(ctx context.Context, crowds []*crowd) error {
	for range b.rounds {
		err := b.each(crowds, "touching", func(c *crowd) error {
			return c.touchSingle(ctx, (b.samples+b.rounds-1)/b.rounds)
		})
		if err != nil {
			return err
		}
	}
	for _, c := range crowds {
		c.addQuantiles("touch", c.Figures["touch"])
	}
	return nil
}

// touchSingle measures n answers to a single client. The plain program takes a second on average; it sleeps
// meanwhile, so many clients are measured at the same time, each with an event of its own.
func (c *crowd) touchSingle(ctx context.Context, n int) error {
	lanes, spread := 1, 5*time.Millisecond
	if c.name == plain {
		lanes, spread = 32, sleep // It publishes at any time between two checks.
	}
	if err := c.createEvents(lanes); err != nil {
		return err
	}
	latencies, errs := make([]samples, lanes), make([]error, lanes)
	n = (n + lanes - 1) / lanes
	var measuring sync.WaitGroup
	for lane := range lanes {
		measuring.Go(func() {
			one := &client{subject: c.subject}
			defer one.leave()
			if errs[lane] = one.subscribe(event(lane)); errs[lane] == nil {
				latencies[lane], errs[lane] = one.samples(ctx, n, spread, func() error { return c.touch(one.id) })
			}
		})
	}
	measuring.Wait()
	c.Figures["touch"] = append(c.Figures["touch"], slices.Concat(latencies...)...)
	return cmp.Or(errs...)
}

// measureCrowds measures polls: for one event, then for an event each, then of clients that leave.
func (b *bench) measureCrowds(ctx context.Context, crowds []*crowd) error {
	const leaves = 3
	if err := b.measureRounds(ctx, crowds); err != nil {
		return err
	}
	if err := b.each(crowds, "an event each", func(c *crowd) error { return c.separate(ctx) }); err != nil {
		return err
	}
	if err := b.idle(ctx, crowds, "_events"); err != nil {
		return err
	}
	for range leaves {
		if err := b.each(crowds, "leaving", func(c *crowd) error { return c.measureLeaving(ctx) }); err != nil {
			return err
		}
	}
	return nil
}

// measureRounds measures clients that wait for one event, get an answer and wait again. The programs take
// turns, so that other work on the machine affects all of them.
func (b *bench) measureRounds(ctx context.Context, crowds []*crowd) error {
	err := b.each(crowds, "connecting", func(c *crowd) error { return c.poll(ctx) })
	for i := 0; err == nil && i < b.rounds; i++ {
		err = b.each(crowds, "one event", func(c *crowd) error { return c.round(ctx) })
	}
	if err != nil {
		return err
	}
	return b.idle(ctx, crowds, "")
}

// idle measures the CPU time while no poll ends, of all programs at the same time, and then the memory of
// each client.
func (b *bench) idle(ctx context.Context, crowds []*crowd, suffix string) error {
	const calm = 500 * time.Millisecond // A garbage collection may still run.
	if err := launch.Sleep(ctx, calm); err != nil {
		return err
	}
	start := time.Now()
	before := make(map[*crowd]usage)
	err := b.each(crowds, "waiting", func(c *crowd) (err error) {
		before[c], err = c.usage()
		return err
	})
	if err != nil {
		return err
	}
	if err := launch.Sleep(ctx, b.window); err != nil {
		return err
	}
	return b.each(crowds, "waiting", func(c *crowd) error {
		after, err := c.usage()
		n := float64(len(c.clients))
		c.add("idle"+suffix, (after.cpu-before[c].cpu)/time.Since(start).Seconds())
		c.add("memory"+suffix, (after.memory-c.unused.memory)/n)
		if len(c.front) > 0 {
			c.add("front_memory", (after.frontMemory-c.unused.frontMemory)/n)
		}
		return err
	})
}
