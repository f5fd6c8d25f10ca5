package main

import (
	"context"
	"fmt"
	"time"

	"github.com/pkg/errors"
)

// measureAll measures one program: a single waiter first, then each number of them, with a fresh process each time.
func measureAll(ctx context.Context, k kind, o options, r *report, p *progress) error {
	fresh := func(waiters int, how func(*subject, *measurement, func(string)) error) error {
		return measureFresh(ctx, k, k.name, waiters, o, r, p, how)
	}
	err := fresh(1, func(s *subject, m *measurement, say func(string)) error { return s.measureSingle(ctx, o, m, say) })
	for _, waiters := range o.waiters {
		if err != nil {
			return err
		}
		err = fresh(waiters, func(s *subject, m *measurement, say func(string)) error {
			return s.measureMany(ctx, waiters, o, m, say)
		})
	}
	return err
}

// measureFresh starts the program anew, and measures it under a name of its own.
func measureFresh(ctx context.Context, k kind, name string, waiters int, o options, r *report, p *progress, how func(*subject, *measurement, func(string)) error) error {
	say := func(what string) { p.show(fmt.Sprintf("%s, %d waiting: %s", name, waiters, what)) }
	say("starting")
	s, err := start(ctx, k, o)
	if err != nil {
		return err
	}
	defer s.stop()
	m := newMeasurement(name, waiters)
	r.Measurements = append(r.Measurements, m)
	err = how(s, m, say)
	if said := s.said(); err != nil && said != "" {
		const enough = 1000
		err = fmt.Errorf("%w; the end of the log:\n%s", err, said[max(0, len(said)-enough):])
	}
	return errors.Wrapf(err, "with %d waiting", waiters)
}

// measureMany measures one number of waiters: on one event, on an event each, and leaving.
func (s *subject) measureMany(ctx context.Context, waiters int, o options, m *measurement, say func(string)) error {
	const roundsWithEvents = 3
	if err := s.createEvents(waiters); err != nil {
		return err
	}
	c, err := newCrowd(s, waiters)
	if err != nil {
		return err
	}
	defer c.leave()
	say("coming")
	if err := c.ask(ctx); err != nil {
		return err
	}
	if err := c.weigh(m, "memory"); err != nil {
		return err
	}
	for range o.rounds {
		say("answering one event")
		if err := c.round(ctx, m, "", func() error { return s.touch(event(0)) }); err != nil {
			return err
		}
		if err := c.weigh(m, "memory_rounds"); err != nil {
			return err
		}
	}
	rounds := m.Figures["memory_rounds"]
	m.add("memory_half", rounds[(len(rounds)-1)/2])
	say("waiting for one event")
	if err := c.idle(ctx, o.window, m, "idle"); err != nil {
		return err
	}
	if err := c.weigh(m, "memory_rest"); err != nil {
		return err
	}
	say("answering an event each")
	touchAll := func() error {
		for i := range c.waiters {
			if err := s.touch(event(i)); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := c.answered(func() error { return s.touch(event(0)) }); err != nil {
		return err
	}
	for i, w := range c.waiters {
		if err := w.watch(event(i)); err != nil {
			return err
		}
	}
	if err := c.ask(ctx); err != nil {
		return err
	}
	for range roundsWithEvents {
		if err := c.round(ctx, m, "_events", touchAll); err != nil {
			return err
		}
	}
	say("waiting for an event each")
	if err := c.idle(ctx, o.window, m, "idle_events"); err != nil {
		return err
	}
	if err := c.weigh(m, "memory_events"); err != nil {
		return err
	}
	for i := range o.leaves {
		say("leaving")
		if i > 0 {
			if err := c.ask(ctx); err != nil {
				return err
			}
		}
		if err := c.measureLeaving(ctx, m); err != nil {
			return err
		}
	}
	m.add("memory_gone_first", m.Figures["memory_gone"][0])
	return nil
}

// round answers everybody, and lets them ask again.
func (c *crowd) round(ctx context.Context, m *measurement, suffix string, publish func() error) error {
	s := c.subject
	if err := s.process.resetPeak(); err != nil {
		return err
	}
	before, err := s.process.resident()
	if err != nil {
		return err
	}
	spent, err := stopwatch(s.process)
	if err != nil {
		return err
	}
	frontSpent, err := stopwatch(s.front...)
	if err != nil {
		return err
	}
	last, err := c.answered(publish)
	if err != nil {
		return err
	}
	if err := c.ask(ctx); err != nil {
		return err
	}
	cpu, err := spent()
	if err != nil {
		return err
	}
	frontCPU, err := frontSpent()
	if err != nil {
		return err
	}
	peak, err := s.process.peak()
	if err != nil {
		return err
	}
	m.add("last"+suffix, last.Seconds())
	m.add("cpu"+suffix, cpu/float64(len(c.waiters)))
	m.add("peak", peak-before)
	if len(s.front) > 0 && suffix == "" {
		m.add("front_cpu", frontCPU/float64(len(c.waiters)))
	}
	return nil
}

// weigh measures the memory of one waiter.
func (c *crowd) weigh(m *measurement, key string) error {
	memory, err := c.subject.process.memory()
	if err != nil {
		return err
	}
	m.add(key, (memory-c.subject.empty)/float64(len(c.waiters)))
	if len(c.subject.front) == 0 {
		return nil
	}
	memory, err = c.subject.frontMemory()
	m.add("front_memory", (memory-c.subject.frontEmpty)/float64(len(c.waiters)))
	return err
}

// idle measures the CPU time of waiting, in a window in which no poll ends.
func (c *crowd) idle(ctx context.Context, window time.Duration, m *measurement, key string) error {
	const calm = 500 * time.Millisecond // A garbage collection may still be under way.
	if err := pause(ctx, calm); err != nil {
		return err
	}
	spent, err := stopwatch(c.subject.process)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := pause(ctx, window); err != nil {
		return err
	}
	cpu, err := spent()
	m.add(key, cpu/time.Since(start).Seconds())
	return err
}

// stopwatch returns a function that says how many seconds of CPU time the processes have used since.
func stopwatch(processes ...process) (spent func() (float64, error), err error) {
	sum := func() (float64, error) {
		var total time.Duration
		for _, p := range processes {
			cpu, err := p.cpu()
			if err != nil {
				return 0, err
			}
			total += cpu
		}
		return total.Seconds(), nil
	}
	before, err := sum()
	return func() (float64, error) {
		now, err := sum()
		return now - before, err
	}, err
}
