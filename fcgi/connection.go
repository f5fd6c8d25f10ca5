package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// connection is one connection of a web server. It carries one request at a time; where the web server asks for it, it
// is kept for another one afterwards.
//
// One goroutine reads all that comes in, also while the request is being served: so it learns when the web server gives up.
type connection struct {
	net.Conn
	in      *bufio.Reader
	timeout time.Duration // of a request to come in, and of each write

	writing sync.Mutex // One record is written at a time.
}

func newConnection(raw net.Conn, timeout time.Duration) *connection {
	const enough = 4 << 10 // nginx sends some 900 bytes
	return &connection{Conn: raw, in: bufio.NewReaderSize(raw, enough), timeout: timeout}
}

func (c *connection) readHeader() (header, error) {
	var b [headerLength]byte
	if _, err := io.ReadFull(c.in, b[:]); err != nil {
		return header{}, errors.Wrap(err, "read")
	}
	h, ok := parseHeader(b)
	if !ok {
		return header{}, errNotFastCGI
	}
	return h, nil
}

func (c *connection) readContent(h header) ([]byte, error) {
	content := make([]byte, h.content)
	if _, err := io.ReadFull(c.in, content); err != nil {
		return nil, errors.Wrap(err, "read")
	}
	_, err := c.in.Discard(h.padding)
	return content, errors.Wrap(err, "read")
}

// write writes whole records. Nobody waits for its error: the connection is closed then, for nothing can follow half a record,
// and the next read tells.
func (c *connection) write(records []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, errors.Wrap(err, "write")
	}
	n, err := c.Conn.Write(records)
	if err != nil {
		c.Close()
	}
	return n, errors.Wrap(err, "write")
}

// watch reads what the web server sends while a request is being served, until interrupted. It calls off the request when
// the web server does, or is gone. An error means that no other request can follow on this connection.
func (c *connection) watch(r *request, callOff context.CancelCauseFunc) error {
	for {
		if _, err := c.in.Peek(1); errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		h, err := c.readHeader()
		if err != nil {
			callOff(err)
			return err
		}
		content, err := c.readContent(h)
		switch {
		case err != nil:
			callOff(err)
			return err
		case h.id == 0:
			c.manage(h, content)
		case h.kind == abortRequest && h.id == r.id:
			callOff(errAborted)
		case h.kind == beginRequest:
			c.write(appendEnd(nil, h.id, cantMultiplex))
		}
	}
}

// interrupt ends watch, or a wait for the next request.
func (c *connection) interrupt() {
	_ = c.SetReadDeadline(time.Unix(1, 0)) // It fails on a connection that is closed, where nobody reads.
}
