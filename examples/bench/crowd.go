package main

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/pkg/errors"

	"novcomet/examples/internal/launch"
)

// crowd is many clients of one program.
type crowd struct {
	*subject
	clients []*client
}

// newCrowd returns n clients that wait for one event, by polls or streams.
func newCrowd(s *subject, n int, stream bool) (*crowd, error) {
	c := &crowd{subject: s}
	for range n {
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
	const settled = 150 * time.Millisecond // The last ones are accepted, but not yet read.
	sent := 0
	for clients := range slices.Chunk(c.clients, part) {
		if err := sendAll(clients); err != nil {
			return err
		}
		sent += len(clients)
		if err := c.waitForConnections(ctx, sent); err != nil {
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

// otherFiles is how many open files of a program may not be connections.
const otherFiles = 4

func (c *crowd) waitForConnections(ctx context.Context, n int) error {
	return waitUntil(ctx, 10*time.Millisecond, func() error {
		files, err := c.process.files()
		if more := files - c.unused.files - n; err == nil && (more < -otherFiles || more > otherFiles) {
			err = errors.Errorf("%d of %d clients wait", files-c.unused.files, n)
		}
		return err
	})
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

// round publishes, and measures until every client has its answer and polls again.
func (c *crowd) round(ctx context.Context, m *measurement, publish func() error) error {
	if err := c.process.resetPeak(); err != nil {
		return err
	}
	before, err := c.usage()
	if err != nil {
		return err
	}
	last, err := c.answer(publish)
	if err != nil {
		return err
	}
	if err := c.poll(ctx); err != nil {
		return err
	}
	after, err := c.usage()
	m.add("last", last.Seconds())
	m.add("peak", after.peak-before.peak)
	m.add("cpu", (after.cpu-before.cpu)/float64(len(c.clients)))
	if len(c.front) > 0 {
		m.add("front_cpu", (after.frontCPU-before.frontCPU)/float64(len(c.clients)))
	}
	return err
}

// idle measures the CPU time while no poll ends, and then the memory of each client.
func (c *crowd) idle(ctx context.Context, window time.Duration, m *measurement, suffix string) error {
	const calm = 500 * time.Millisecond // A garbage collection may still run.
	if err := launch.Sleep(ctx, calm); err != nil {
		return err
	}
	before, err := c.usage()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := launch.Sleep(ctx, window); err != nil {
		return err
	}
	after, err := c.usage()
	m.add("idle"+suffix, (after.cpu-before.cpu)/time.Since(start).Seconds())
	m.add("memory"+suffix, (after.memory-c.unused.memory)/float64(len(c.clients)))
	if len(c.front) > 0 {
		m.add("front_memory", (after.frontMemory-c.unused.frontMemory)/float64(len(c.clients)))
	}
	return err
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

// waiting returns how many polls wait. comet-fcgi ends a poll with its connection, so its open files are
// counted. The plain program continues without the connection, so it is asked.
func (c *crowd) waiting() (int, error) {
	if c.name == cometFCGI {
		files, err := c.process.files()
		return files - c.unused.files - otherFiles, err
	}
	text, err := c.get("waiting")
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(text)
	return n, errors.Wrap(err, "asking how many polls wait")
}

func (c *crowd) leave() {
	for _, one := range c.clients {
		one.leave()
	}
}
