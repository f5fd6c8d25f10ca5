package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"
)

// waiter is one browser: it polls one event, precisely.
type waiter struct {
	subject *subject
	id      string
	cursor  string
	conn    net.Conn
	buffer  [1024]byte
}

// newWaiter returns one that waits for nothing yet: see watch.
func newWaiter(s *subject) *waiter { return &waiter{subject: s} }

// watch makes it wait for the event from its next poll on. It starts from the stamp that the file has now: with `now` a
// publication would be lost for it that comes before the program's first look, which on a loaded machine takes a while.
func (w *waiter) watch(id string) error {
	file, err := os.Stat(w.subject.file(id))
	if err != nil {
		return errors.Wrap(err, "looking at an event")
	}
	stamp := file.ModTime()
	w.id, w.cursor = id, fmt.Sprintf("%d.%06d", stamp.Unix(), stamp.Nanosecond()/1000)
	return nil
}

// ask sends the next poll.
func (w *waiter) ask() error {
	return w.send("subscribed[" + w.id + "]=" + w.cursor)
}

func (w *waiter) send(query string) error {
	if w.conn == nil {
		var err error
		if w.conn, err = w.subject.connect(); err != nil {
			return err
		}
	}
	_, err := w.conn.Write(w.subject.dialect.request(query, anything))
	return errors.Wrap(err, "sending a request")
}

// connect also connects where the queue of the listening socket is full for a moment.
func (s *subject) connect() (net.Conn, error) {
	const patience = time.Minute
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		c, err := s.dial()
		if err == nil || !errors.Is(err, syscall.EAGAIN) || time.Now().After(end) {
			return c, errors.Wrap(err, "connecting")
		}
	}
}

var cursors = regexp.MustCompile(`"at":\{"[^"]*":"([0-9.]+)"`)

// answer blocks until the poll is answered, and returns when its last byte came.
func (w *waiter) answer() (time.Time, error) {
	body, at, err := w.receive()
	if err != nil {
		return at, err
	}
	found := cursors.FindSubmatch(body)
	if found == nil {
		return at, errors.Errorf("this is no answer to a poll: %q", body)
	}
	w.cursor = string(found[1])
	return at, nil
}

func (w *waiter) receive() (body []byte, at time.Time, err error) {
	const patience = time.Minute // An answer that does not come at all is not to stop the bench.
	if err := w.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, time.Now(), errors.Wrap(err, "waiting for an answer")
	}
	n := 0
	for {
		read, err := w.conn.Read(w.buffer[n:])
		if err != nil {
			return nil, time.Now(), errors.Wrap(err, "waiting for an answer")
		}
		n += read
		body, complete := w.subject.dialect.body(w.buffer[:n])
		if !complete {
			continue
		}
		at = time.Now()
		if !w.subject.dialect.keeps() {
			w.leave()
		}
		return body, at, nil
	}
}

// leave closes the connection, as a browser does that goes to another page.
func (w *waiter) leave() {
	if w.conn != nil {
		w.conn.Close()
		w.conn = nil
	}
}

// event is the name of one of the events.
func event(i int) string { return fmt.Sprintf("event-%05d", i) }

func (s *subject) createEvents(n int) error {
	old := time.Now().Add(-time.Hour)
	for i := range n {
		path := s.file(event(i))
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			return errors.Wrap(err, "creating an event")
		}
		if err := os.Chmod(path, 0o666); err != nil { // WriteFile masks.
			return errors.Wrap(err, "creating an event")
		}
		// A stamp that no publication can have.
		if err := os.Chtimes(path, old, old); err != nil {
			return errors.Wrap(err, "creating an event")
		}
	}
	return nil
}

func (s *subject) file(id string) string { return filepath.Join(s.directory, id+".comet") }

// touch publishes as any other program does.
func (s *subject) touch(id string) error {
	now := []unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_NOW}}
	return errors.Wrap(unix.UtimesNanoAt(unix.AT_FDCWD, s.file(id), now, 0), "touching an event")
}

// publish publishes by a request, and returns with its answer.
func (s *subject) publish(id string) error {
	w := newWaiter(s)
	defer w.leave()
	if err := w.send("publish=" + id); err != nil {
		return err
	}
	body, _, err := w.receive()
	if err == nil && !regexp.MustCompile(`\btrue\b`).Match(body) {
		err = errors.Errorf("a publication was answered %q", body)
	}
	return err
}
