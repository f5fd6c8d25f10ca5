package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	pkgerrors "github.com/pkg/errors"
)

// patience is how long a client waits for an answer.
const patience = time.Minute

// client is a browser that polls one event with a precise cursor, or reads a stream of it.
type client struct {
	subject *subject
	options string // begins the query
	id      string
	cursor  string
	conn    net.Conn
	buffer  [1024]byte

	stream bool
	in     *bufio.Reader // of an open stream
	begun  time.Time     // when the first line of the stream arrived
}

// subscribe makes the next poll ask for this event, from the stamp that its file has now. With `now` a
// publication before the program's first check would be lost for the client, and on a busy machine that check
// comes late.
func (c *client) subscribe(id string) error {
	file, err := os.Stat(c.subject.file(id))
	if err != nil {
		return pkgerrors.Wrap(err, "reading the stamp of an event")
	}
	stamp := file.ModTime()
	c.id, c.cursor = id, fmt.Sprintf("%d.%06d", stamp.Unix(), stamp.Nanosecond()/1000)
	return nil
}

// poll sends the next poll, or opens the stream if it is not open.
func (c *client) poll() error {
	query := c.options + "subscribed[" + c.id + "]=" + c.cursor
	if !c.stream {
		return c.send(query, acceptAnything)
	}
	if c.in != nil {
		return nil
	}
	if err := c.send(query, acceptStream); err != nil {
		return err
	}
	c.in = bufio.NewReaderSize(c.conn, 1<<10)
	var err error
	if c.begun, err = c.line("retry: "); err == nil {
		_, err = c.answer() // The first event has the stamp at which the stream begins.
	}
	return err
}

func (c *client) send(query, accept string) error {
	if c.conn == nil {
		var err error
		if c.conn, err = c.subject.connect(); err != nil {
			return err
		}
	}
	_, err := c.conn.Write(c.subject.dialect.request(query, accept))
	return pkgerrors.Wrap(err, "sending a request")
}

// connect tries again while the backlog of the listening socket is full.
func (s *subject) connect() (net.Conn, error) {
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		c, err := s.dial()
		if err == nil || !errors.Is(err, syscall.EAGAIN) || time.Now().After(end) {
			return c, pkgerrors.Wrap(err, "connecting")
		}
	}
}

var newCursor = regexp.MustCompile(`"at":\{"[^"]*":"([0-9.]+)"`)

// answer blocks until the poll is answered, or the stream has an event, and returns when the last byte
// arrived.
func (c *client) answer() (time.Time, error) {
	if c.stream {
		return c.line("id: ") // It ends an event.
	}
	text, at, err := c.receive()
	if err != nil {
		return at, err
	}
	found := newCursor.FindStringSubmatch(text)
	if found == nil {
		return at, fmt.Errorf("a poll was answered %q", text)
	}
	c.cursor = found[1]
	return at, nil
}

func (c *client) receive() (text string, at time.Time, err error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", time.Now(), pkgerrors.Wrap(err, "waiting for an answer")
	}
	for n := 0; ; {
		read, err := c.conn.Read(c.buffer[n:])
		if err != nil {
			return "", time.Now(), pkgerrors.Wrap(err, "waiting for an answer")
		}
		n += read
		if body, complete := c.subject.dialect.body(c.buffer[:n]); complete {
			at = time.Now()
			if !c.subject.dialect.keeps() {
				c.leave()
			}
			return string(body), at, nil
		}
	}
}

// leave closes the connection.
func (c *client) leave() {
	if c.conn != nil {
		c.conn.Close()
		c.conn, c.in = nil, nil
	}
}

// samples polls, publishes and measures how long the answer takes, n times. The time between the poll and the
// publication is random, up to spread.
func (c *client) samples(ctx context.Context, n int, spread time.Duration, publish func() error) (samples, error) {
	var latencies samples
	for range n {
		latency, err := c.sample(spread, publish)
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return nil, err
		}
		latencies = append(latencies, latency.Seconds())
	}
	return latencies, nil
}

func (c *client) sample(spread time.Duration, publish func() error) (time.Duration, error) {
	const settled = 20 * time.Millisecond // The poll waits.
	if err := c.poll(); err != nil {
		return 0, err
	}
	time.Sleep(settled + rand.N(spread))
	conn := c.conn
	var at time.Time
	var err error
	var reading sync.WaitGroup
	reading.Go(func() { at, err = c.answer() })
	start := time.Now()
	failed := publish()
	if failed != nil {
		conn.Close() // There will be no answer.
	}
	reading.Wait()
	return at.Sub(start), cmp.Or(failed, err)
}

// get sends a request and returns the JSON of its answer, which may be chunked.
func (s *subject) get(query string) (string, error) {
	c := &client{subject: s}
	defer c.leave()
	if err := c.send(query, acceptAnything); err != nil {
		return "", err
	}
	text, _, err := c.receive()
	if lines := strings.Fields(text); len(lines) > 1 {
		text = lines[1]
	}
	return strings.TrimSpace(text), err
}

// line blocks until a line with this text has arrived, and returns when.
func (c *client) line(text string) (time.Time, error) {
	err := c.conn.SetReadDeadline(time.Now().Add(patience))
	for err == nil {
		var line []byte
		if line, err = c.in.ReadSlice('\n'); err == nil && bytes.Contains(line, []byte(text)) {
			return time.Now(), nil
		}
	}
	return time.Now(), pkgerrors.Wrap(err, "reading a stream")
}
