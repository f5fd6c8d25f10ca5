package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// measureLeaving lets everybody leave at once, and measures how long the program believes that they wait, at most 3 s, and
// what memory it has after 2 s.
func (c *crowd) measureLeaving(ctx context.Context, m *measurement) error {
	const patience, later = 3 * time.Second, 2 * time.Second
	start := time.Now()
	c.leave()
	for {
		waiting, err := c.subject.waiting()
		if err != nil {
			return err
		}
		if gone := time.Since(start); waiting <= 0 || gone > patience {
			m.add("gone", gone.Seconds())
			break
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	if err := pause(ctx, time.Until(start.Add(later))); err != nil {
		return err
	}
	memory, err := c.subject.process.memory()
	m.add("memory_gone", memory-c.subject.empty)
	return err
}

// waiting returns how many wait. Comet-fcgi forgets a poll with its connection, and has no more files open than before; the
// plain program closes the connection and goes on with the poll, so it is asked.
func (s *subject) waiting() (int, error) {
	if s.name == "comet-fcgi" {
		const slack = 4
		files, err := s.process.files()
		return files - s.files - slack, err
	}
	w := newWaiter(s)
	defer w.leave()
	if err := w.send("waiting"); err != nil {
		return 0, err
	}
	body, _, err := w.receive()
	if err != nil {
		return 0, err
	}
	for word := range strings.FieldsSeq(string(body)) { // Over HTTP it may be chunked.
		if strings.Trim(word, "0123456789") == "" {
			n, err := strconv.Atoi(word)
			return n, errors.Wrap(err, "how many wait")
		}
	}
	return 0, errors.Errorf("how many wait was answered %q", body)
}
