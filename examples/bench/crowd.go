package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pkg/errors"

	"novcomet/examples/internal/launch"
)

// crowd is many clients of one program, and what is measured of them.
type crowd struct {
	*subject
	*measurement
	clients []*client
}

// newCrowd returns the clients of a measurement. They wait for one event, by polls or streams.
func newCrowd(s *subject, m *measurement, stream bool) (*crowd, error) {
	c := &crowd{subject: s, measurement: m}
	if err := s.createEvents(m.Waiters); err != nil {
		return nil, err
	}
	for range m.Waiters {
		one := &client{subject: s, stream: stream}
		if err := one.subscribe(event(0)); err != nil {
			return nil, err
		}
		c.clients = append(c.clients, one)
	}
	return c, nil
}

// poll sends everybody's next poll and returns when all of them wait. They come in parts: a listening socket
// has a backlog of 4,096 (net.core.somaxconn), and when it is full nginx answers 502.
func (c *crowd) poll(ctx context.Context) error {
	const part = 2000
	const interval = 50 * time.Millisecond // Asking takes CPU time of the program.
	const settled = 150 * time.Millisecond // The events of the last ones are checked.
	sent := 0
	for clients := range slices.Chunk(c.clients, part) {
		if err := sendAll(clients); err != nil {
			return err
		}
		sent += len(clients)
		err := waitUntil(ctx, interval, func() error {
			n, err := c.waiting()
			if err == nil && n < sent {
				err = fmt.Errorf("%d of %d clients wait", n, sent)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return launch.Sleep(ctx, settled)
}

// sendAll sends the next poll of each client, some at the same time, and returns one of the errors.
func sendAll(clients []*client) error {
	const atOnce = 64
	errs := make([]error, atOnce)
	var sending sync.WaitGroup
	for i := range atOnce {
		sending.Go(func() {
			for n := i; n < len(clients) && errs[i] == nil; n += atOnce {
				errs[i] = clients[n].poll()
			}
		})
	}
	sending.Wait()
	return cmp.Or(errs...)
}

// answer publishes, and returns how long it took until every client had its answer.
func (c *crowd) answer(publish func() error) (time.Duration, error) {
	const reading = 20 * time.Millisecond // All goroutines read when the measurement begins.
	times, errs := make([]time.Time, len(c.clients)), make([]error, len(c.clients))
	var answers sync.WaitGroup
	for i, one := range c.clients {
		answers.Go(func() { times[i], errs[i] = one.answer() })
	}
	time.Sleep(reading)
	start := time.Now()
	err := publish()
	answers.Wait()
	return slices.MaxFunc(times, time.Time.Compare).Sub(start), cmp.Or(append(errs, err)...)
}

// round publishes, and measures until every client has its answer and waits again.
func (c *crowd) round(ctx context.Context) error {
	if err := c.process.resetPeak(); err != nil {
		return err
	}
	before, err := c.usage()
	if err != nil {
		return err
	}
	last, err := c.answer(func() error { return c.touch(event(0)) })
	if err != nil {
		return err
	}
	if err := c.poll(ctx); err != nil {
		return err
	}
	after, err := c.usage()
	n := float64(len(c.clients))
	cpu, front := (after.cpu-before.cpu)/n, (after.frontCPU-before.frontCPU)/n
	c.add("last", last.Seconds())
	c.add("peak", after.peak-before.peak)
	c.add("cpu", cpu)
	if len(c.front) > 0 {
		c.add("front_cpu", front)
		c.add("both_cpu", cpu+front)
	}
	return err
}

// separate makes every client wait for an event of its own.
func (c *crowd) separate(ctx context.Context) error {
	if _, err := c.answer(func() error { return c.touch(event(0)) }); err != nil {
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
	_, err := c.answer(func() error {
		for _, one := range c.clients {
			if err := c.touch(one.id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.poll(ctx)
}

// measureLeaving measures how long it takes until nobody waits, after all clients have left.
func (c *crowd) measureLeaving(ctx context.Context) error {
	const most = 3 * time.Second
	if gone := c.Figures["gone"]; len(gone) > 0 && gone.median() > most.Seconds() {
		return nil // Once is enough: the program does not notice it.
	}
	if err := measureLeaving(ctx, c.measurement, most, c.leave, c.waiting); err != nil {
		return err
	}
	return c.poll(ctx)
}

// measureLeaving measures how long it takes after leave until nobody waits, up to most.
func measureLeaving(
	ctx context.Context, m *measurement, most time.Duration, leave func(), waiting func() (int, error),
) error {
	start := time.Now()
	leave()
	for {
		n, err := waiting()
		if err != nil {
			return err
		}
		if gone := time.Since(start); n <= 0 || gone > most {
			m.add("gone", gone.Seconds())
			return nil
		}
		if err := launch.Sleep(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
}

// waiting asks the program how many polls wait, those of streams included.
func (s *subject) waiting() (int, error) {
	text, err := (&subject{dial: s.dialProgram, dialect: fastCGI{status: true}}).get("")
	if err != nil {
		return 0, err
	}
	var status struct{ Waiting int }
	err = json.Unmarshal([]byte(text), &status)
	return status.Waiting, errors.Wrap(err, "asking how many polls wait")
}

func (c *crowd) leave() {
	for _, one := range c.clients {
		one.leave()
	}
}
