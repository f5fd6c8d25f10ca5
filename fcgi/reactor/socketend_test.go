package reactor

import (
	"io"
	"os"
	"time"
)

// socketEnd is the web server's end of a connection. Its methods block as those of a [net.Conn] do.
type socketEnd struct{ *socket }

func (e *socketEnd) Read(b []byte) (int, error) {
	e.system.mu.Lock()
	defer e.system.mu.Unlock()
	for len(e.out) == 0 && !e.closed && !e.gone {
		if err := e.waitLocked(); err != nil {
			return 0, err
		}
	}
	if e.gone {
		return 0, io.ErrClosedPipe
	}
	n := copy(b, e.out)
	e.out = e.out[n:]
	e.system.changed.Broadcast()
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (e *socketEnd) Write(b []byte) (n int, err error) {
	e.system.mu.Lock()
	defer e.system.mu.Unlock()
	for {
		if e.closed || e.gone {
			return n, io.ErrClosedPipe
		}
		part := min(len(b)-n, e.size-len(e.in))
		e.in = append(e.in, b[n:n+part]...)
		e.system.changed.Broadcast()
		if n += part; n == len(b) {
			return n, nil
		}
		if err := e.waitLocked(); err != nil {
			return n, err
		}
	}
}

// waitLocked waits until something has changed, but not longer than the web server's patience.
func (e *socketEnd) waitLocked() error {
	begin := time.Now()
	timer := time.AfterFunc(e.patience, e.system.changed.Broadcast)
	defer timer.Stop()
	e.system.changed.Wait()
	if time.Since(begin) >= e.patience {
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (e *socketEnd) Close() error {
	e.system.mu.Lock()
	defer e.system.mu.Unlock()
	e.gone, e.reset = true, len(e.out) > 0
	e.system.changed.Broadcast()
	return nil
}

// awaitClose waits until the loop has closed the connection, and reads nothing.
func (e *socketEnd) awaitClose() error {
	e.system.mu.Lock()
	defer e.system.mu.Unlock()
	for !e.closed {
		if err := e.waitLocked(); err != nil {
			return err
		}
	}
	return nil
}

// isBlocked reports whether the loop has more to write than there is room for.
func (e *socketEnd) isBlocked() bool {
	e.system.mu.Lock()
	defer e.system.mu.Unlock()
	return e.write && !e.isWritableLocked()
}

// CloseWrite ends what the web server sends. It still receives.
func (e *socketEnd) CloseWrite() error {
	e.system.mu.Lock()
	defer e.system.mu.Unlock()
	e.shut = true
	e.system.changed.Broadcast()
	return nil
}

// isClosed reports whether the loop has closed the connection.
func (e *socketEnd) isClosed() bool {
	e.system.mu.Lock()
	defer e.system.mu.Unlock()
	return e.closed
}
