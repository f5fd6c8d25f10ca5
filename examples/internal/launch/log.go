package launch

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	pkgerrors "github.com/pkg/errors"
)

// log collects the output of a site's processes. They share one pipe as standard output and standard error.
// The pipe ends only when all of them have ended, including processes that a server has started.
type log struct {
	w    *os.File
	r    *os.File
	done chan struct{}

	mu   sync.Mutex
	text bytes.Buffer
	also io.Writer
}

func newLog(also io.Writer, owner *credential) (*log, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, pkgerrors.Wrap(err, "making a pipe for the log")
	}
	if owner != nil {
		// Apache opens the pipe by name, as /dev/stderr, and needs the permission.
		if err := w.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
			return nil, pkgerrors.Wrap(err, "giving the log to the server's user")
		}
	}
	l := &log{w: w, r: r, done: make(chan struct{}), also: also}
	go func() {
		defer close(l.done)
		io.Copy(l, r)
	}()
	return l, nil
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.also != nil {
		l.also.Write(p)
	}
	return l.text.Write(p)
}

// mute stops copying to Options.Log.
func (l *log) mute() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.also = nil
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// close waits until the last process has closed the pipe.
func (l *log) close() error {
	l.w.Close()
	defer l.r.Close()
	select {
	case <-l.done:
		return nil
	case <-time.After(stopTime):
		l.r.SetReadDeadline(time.Now())
		<-l.done
		return errors.New("a process that the server started still runs")
	}
}
