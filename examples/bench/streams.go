package main

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"time"

	"github.com/pkg/errors"
)

// What is compared in the second table, both of comet-fcgi.
const (
	streams = "streams"
	polls   = "polls"
)

// events are how many everybody is told of.
const events = 20

// measureReading measures streams, and beside them as many polls.
func measureReading(ctx context.Context, o options, r *report, p *progress) error {
	err := measureFresh(ctx, kinds[0], streams, o.streams, o, r, p, func(s *subject, m *measurement, say func(string)) error {
		return s.measureStreams(ctx, o, m, say)
	})
	if err != nil {
		return errors.WithMessage(err, streams)
	}
	err = measureFresh(ctx, kinds[0], polls, o.streams, o, r, p, func(s *subject, m *measurement, say func(string)) error {
		return s.measurePolls(ctx, o, m, say)
	})
	return errors.WithMessage(err, polls)
}

func (s *subject) measureStreams(ctx context.Context, o options, m *measurement, say func(string)) error {
	if err := s.createEvents(1); err != nil {
		return err
	}
	// Only as the crowd that is weighed: the streams are connections of their own.
	c := &crowd{subject: s, waiters: make([]*waiter, o.streams)}
	say("coming")
	readers, err := s.openStreams(o.streams)
	defer func() {
		for _, r := range readers {
			r.conn.Close()
		}
	}()
	if err != nil {
		return err
	}
	if err := c.weigh(m, "memory"); err != nil {
		return err
	}
	say("being told")
	for range events {
		if err := s.tell(m, readers); err != nil {
			return err
		}
	}
	return c.rest(ctx, o, m)
}

func (s *subject) measurePolls(ctx context.Context, o options, m *measurement, say func(string)) error {
	if err := s.createEvents(1); err != nil {
		return err
	}
	c, err := newCrowd(s, o.streams)
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
	say("being told")
	for range events {
		if err := c.round(ctx, m, "", func() error { return s.touch(event(0)) }); err != nil {
			return err
		}
	}
	return c.rest(ctx, o, m)
}

// rest measures what stays when nothing happens any more.
func (c *crowd) rest(ctx context.Context, o options, m *measurement) error {
	if err := c.weigh(m, "memory_rounds"); err != nil {
		return err
	}
	if err := c.idle(ctx, o.window, m, "idle"); err != nil {
		return err
	}
	return c.weigh(m, "memory_rest")
}

// reader is a browser with a stream.
type reader struct {
	conn net.Conn
	in   *bufio.Reader
}

func (s *subject) openStreams(n int) ([]*reader, error) {
	var readers []*reader
	request := s.dialect.request("subscribed["+event(0)+"]=now", aStream)
	for range n {
		conn, err := s.connect()
		if err != nil {
			return readers, err
		}
		readers = append(readers, &reader{conn, bufio.NewReaderSize(conn, 1<<10)})
		if _, err := conn.Write(request); err != nil {
			return readers, errors.Wrap(err, "asking for a stream")
		}
	}
	for _, r := range readers { // where it begins
		if _, err := r.told(); err != nil {
			return readers, err
		}
	}
	return readers, nil
}

// told blocks until the next id has come, and returns when that was. It is the last line of what is told.
func (r *reader) told() (time.Time, error) { return r.line("id: ") }

// line blocks until a line with this text has come, and returns when that was.
func (r *reader) line(with string) (time.Time, error) {
	const patience = time.Minute
	if err := r.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return time.Now(), errors.Wrap(err, "reading a stream")
	}
	for {
		line, err := r.in.ReadSlice('\n')
		if err != nil {
			return time.Now(), errors.Wrap(err, "reading a stream")
		}
		if bytes.Contains(line, []byte(with)) {
			return time.Now(), nil
		}
	}
}

// tell publishes, and measures how long it takes until everybody has been told, and waits again.
func (s *subject) tell(m *measurement, readers []*reader) error {
	const again = 50 * time.Millisecond
	spent, err := stopwatch(s.process)
	if err != nil {
		return err
	}
	times, errs := make(chan time.Time, len(readers)), make(chan error, len(readers))
	for _, r := range readers {
		go func() {
			at, err := r.told()
			times <- at
			errs <- err
		}()
	}
	time.Sleep(again) // All of them are to read when it begins; and the programs' own work is done.
	start := time.Now()
	if err := s.touch(event(0)); err != nil {
		return err
	}
	last := start
	for range readers {
		if at := <-times; at.After(last) {
			last = at
		}
		if failed := <-errs; failed != nil {
			err = failed
		}
	}
	time.Sleep(again)
	cpu, failed := spent()
	if failed != nil {
		return failed
	}
	m.add("last", last.Sub(start).Seconds())
	m.add("cpu", cpu/float64(len(readers)))
	return err
}
