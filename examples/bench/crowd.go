package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// crowd is all that wait at one time.
type crowd struct {
	subject *subject
	waiters []*waiter
}

// newCrowd returns so many who wait for one event.
func newCrowd(s *subject, n int) (*crowd, error) {
	c := &crowd{subject: s}
	for range n {
		w := newWaiter(s)
		if err := w.watch(event(0)); err != nil {
			return nil, err
		}
		c.waiters = append(c.waiters, w)
	}
	return c, nil
}

// each does something for all of these waiters, some at a time, and returns one of the errors.
func each(waiters []*waiter, do func(*waiter) error) error {
	const atOnce = 64
	var failed error
	var once sync.Once
	var working sync.WaitGroup
	queue := make(chan *waiter)
	for range atOnce {
		working.Go(func() {
			for w := range queue {
				if err := do(w); err != nil {
					once.Do(func() { failed = err })
				}
			}
		})
	}
	for _, w := range waiters {
		queue <- w
	}
	close(queue)
	working.Wait()
	return failed
}

// ask sends everybody's next poll, and returns when all of them wait. Each part waits for the one before: a listening
// socket has a queue of 4,096 (net.core.somaxconn), and nginx answers 502 where that is full.
func (c *crowd) ask(ctx context.Context) error {
	const part, rest = 2000, 150 * time.Millisecond
	sent := 0
	for waiters := range slices.Chunk(c.waiters, part) {
		if err := each(waiters, (*waiter).ask); err != nil {
			return err
		}
		sent += len(waiters)
		if err := c.settle(ctx, sent); err != nil {
			return err
		}
	}
	return pause(ctx, rest) // The last of them have been accepted, and are to be read, too.
}

// settle returns when the program has as many connections as waiters.
func (c *crowd) settle(ctx context.Context, waiters int) error {
	const (
		slack    = 4 // files that are not connections
		patience = time.Minute
	)
	for end := time.Now().Add(patience); ; {
		files, err := c.subject.process.files()
		if err != nil {
			return err
		}
		more := files - c.subject.files - waiters
		if -slack <= more && more <= slack {
			return nil
		}
		if time.Now().After(end) {
			return errors.Errorf("%d of %d wait after %v", waiters+more, waiters, patience)
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// answered publishes, and returns how long it took until everybody had an answer.
func (c *crowd) answered(publish func() error) (time.Duration, error) {
	times, errs := make([]time.Time, len(c.waiters)), make([]error, len(c.waiters))
	var answers sync.WaitGroup
	for i, w := range c.waiters {
		answers.Go(func() { times[i], errs[i] = w.answer() })
	}
	time.Sleep(20 * time.Millisecond) // All of them are to read when it begins.
	start := time.Now()
	err := publish()
	answers.Wait()
	var last time.Time
	for i := range times {
		if times[i].After(last) {
			last = times[i]
		}
		if err == nil {
			err = errs[i]
		}
	}
	return last.Sub(start), err
}

func (c *crowd) leave() {
	for _, w := range c.waiters {
		w.leave()
	}
}

// pause waits, unless the bench is to end.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
