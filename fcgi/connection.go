package main

import (
	"bufio"
	stderrors "errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/pkg/errors"

	"novcomet/fcgi/fastcgi"
)

// connection is one connection of a web server. It carries one request at a time. If the web server asks for
// it (FCGI_KEEP_CONN), the connection is kept for another request.
//
// While no data arrives, it holds no buffer, because thousands of connections wait.
type connection struct {
	net.Conn
	timeout time.Duration // for a request to arrive, and for the web server to accept a part of what is written

	in    *bufio.Reader // nil while no data arrives
	ahead [1]byte       // a byte that was read to find out whether data arrives
	has   bool          // whether ahead holds a byte

	writing sync.Mutex // One record is written at a time.
}

// readers have buffers of a size for the requests of nginx, which have some 900 bytes.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4<<10) }}

func newConnection(raw net.Conn, timeout time.Duration) *connection {
	return &connection{Conn: raw, timeout: timeout}
}

// await blocks until data arrives. If the connection is interrupted, it returns errInterrupted.
func (c *connection) await() error {
	if c.in != nil && (c.has || c.in.Buffered() > 0) {
		return nil
	}
	c.release()
	if !c.has {
		_, err := io.ReadFull(c.Conn, c.ahead[:])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return errInterrupted
		case err != nil:
			return errors.WithStack(err)
		}
		c.has = true
	}
	c.in = readers.Get().(*bufio.Reader)
	c.in.Reset((*incoming)(c))
	return nil
}

// release gives back the buffer, unless there is something in it.
func (c *connection) release() {
	if c.in != nil && c.in.Buffered() == 0 && !c.has {
		c.in.Reset(nil)
		readers.Put(c.in)
		c.in = nil
	}
}

// incoming reads the byte ahead, then from the connection.
type incoming connection

func (i *incoming) Read(b []byte) (int, error) {
	if i.has && len(b) > 0 {
		i.has = false
		b[0] = i.ahead[0]
		return 1, nil
	}
	return i.Conn.Read(b)
}

func (c *connection) readHeader() (fastcgi.Header, error) {
	if err := c.await(); err != nil {
		return fastcgi.Header{}, err
	}
	b, err := c.in.Peek(fastcgi.HeaderLength)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fastcgi.Header{}, errInterrupted
	}
	if err != nil {
		return fastcgi.Header{}, errors.WithStack(err)
	}
	h, ok := fastcgi.ParseHeader(b)
	if !ok && fastcgi.IsHTTP(b) {
		return fastcgi.Header{}, errHTTP
	}
	if !ok {
		return fastcgi.Header{}, errNotFastCGI
	}
	_, err = c.in.Discard(fastcgi.HeaderLength)
	return h, errors.WithStack(err)
}

func (c *connection) readContent(h fastcgi.Header) ([]byte, error) {
	content := make([]byte, h.Content)
	if _, err := io.ReadFull(c.in, content); err != nil {
		return nil, errors.WithStack(err)
	}
	_, err := c.in.Discard(h.Padding)
	return content, errors.WithStack(err)
}

// write writes whole records. It returns no error: if it fails, it closes the connection, because nothing can
// follow a part of a record, and then the next read fails.
func (c *connection) write(records []byte) { c.writeWithin(records, c.timeout, nil) }

// writeWithin writes the records. It closes the connection if the web server accepts no byte within the
// patience; while contended reports true, within a second. The connection of a web server that reads
// slowly stays open. If contended is nil, nothing contends.
func (c *connection) writeWithin(records []byte, patience time.Duration, contended func() bool) {
	attempt := min(time.Second, patience)
	c.writing.Lock()
	defer c.writing.Unlock()
	for nothing := time.Duration(0); ; {
		if err := c.SetWriteDeadline(time.Now().Add(attempt)); err != nil {
			return
		}
		n, err := c.Conn.Write(records)
		if err == nil {
			return
		}
		records = records[n:]
		if nothing += attempt; n > 0 {
			nothing = 0
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || nothing >= patience ||
			nothing > 0 && contended != nil && contended() {
			c.Close()
			return
		}
	}
}

// watch reads what the web server sends while its request waits or is being answered, until the connection is
// interrupted. When the web server aborts the request, or has gone, watch calls gaveUp at once. If watch
// returns an error, no other request can be read; after errTorn, this request can still be answered.
func (c *connection) watch(id uint16, gaveUp func(error)) error {
	for {
		h, err := c.readHeader()
		if errors.Is(err, errInterrupted) {
			return nil
		}
		var content []byte
		if err == nil {
			content, err = c.readContent(h)
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return errTorn
		case err != nil:
			gaveUp(err)
			return err
		case h.ID == 0:
			c.manage(h, content)
		case h.Type == fastcgi.AbortRequest && h.ID == id:
			gaveUp(errAborted)
		case h.Type == fastcgi.BeginRequest:
			c.write(fastcgi.AppendEnd(nil, h.ID, fastcgi.CannotMultiplex))
		}
	}
}

var (
	errInterrupted = stderrors.New("interrupted between two records")
	errTorn        = stderrors.New("interrupted within a record")
)

// interrupt ends watch, or a wait for the next request, between two records.
func (c *connection) interrupt() {
	_ = c.SetReadDeadline(time.Unix(1, 0)) // It fails only on a closed connection, which nobody reads.
}

// resume undoes interrupt.
func (c *connection) resume() { _ = c.SetReadDeadline(time.Time{}) }
