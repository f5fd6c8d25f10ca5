package reactor

import (
	"bytes"
	"net/http"
	"strconv"

	"novcomet/core"
	"novcomet/fcgi/fastcgi"
)

// frame is records to send. Connections with equal answers share one, and its bytes are counted once.
type frame struct {
	bytes   []byte
	holders int // connections on which it is unsent
}

// privateFrame returns a frame that no other connection shares.
func privateFrame(records []byte) *frame { return &frame{bytes: records} }

// frames are the shared frames of the results that the loop is handling.
type frames map[frameKey]*frame

type frameKey struct {
	body   *byte // its first byte: equal results share their memory
	id     uint16
	last   bool
	header core.HeaderKey // of the answer to a poll
}

// of returns the frame of a part of the subscriber's response.
func (fs frames) of(id uint16, s *core.Subscriber, body []byte, last bool) *frame {
	key := frameKey{body: &body[0], id: id, last: last}
	if !s.IsStream() {
		key.header = s.HeaderKey()
	}
	if f := fs[key]; f != nil {
		return f
	}
	b := make([]byte, 0, len(body)+512)
	if s.IsStream() {
		b = fastcgi.AppendStdout(b, id, body)
	} else {
		header := http.Header{}
		s.Begin(header)
		header.Set("Content-Length", strconv.Itoa(len(body)))
		b = fastcgi.AppendStdout(b, id, response(header, body))
	}
	if last { // rule: server-ends-the-request-after-the-last-part
		b = fastcgi.AppendRecord(b, fastcgi.Stdout, id, nil)
		b = fastcgi.AppendEnd(b, id, fastcgi.RequestComplete)
	}
	f := &frame{bytes: b}
	fs[key] = f
	return f
}

// response returns a response in the form of CGI, up to the end of this body.
func response(header http.Header, body []byte) []byte {
	var b bytes.Buffer
	b.WriteString("Status: 200 OK\r\n")
	_ = header.Write(&b) // A bytes.Buffer takes everything.
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// send writes a frame as far as the web server reads it. The rest is sent when it reads on.
func (c *conn) send(f *frame) {
	if c.unsent != nil {
		c.setUnsent(privateFrame(append(bytes.Clone(c.unsent.bytes[c.sent:]), f.bytes...)))
		return
	}
	n, err := c.reactor.system.write(c.fd, f.bytes)
	switch {
	case err != nil:
		c.fail(err)
	case n == len(f.bytes):
		c.allSent()
	// A frame that another connection holds needs no more memory.
	case f.holders == 0 && c.reactor.unsentIsFull(): // If it is a result, the client polls again and gets it.
		c.fail(ErrFull)
	default:
		c.setUnsent(f)
		c.sent = n // rule: server-counts-what-was-sent-at-first
		c.selectEvents(true)
	}
}

// flush goes on writing the unsent frame.
func (c *conn) flush() {
	rest := c.unsent.bytes[c.sent:]
	n, err := c.reactor.system.write(c.fd, rest)
	switch {
	case err != nil:
		c.fail(err)
	case n == len(rest):
		c.setUnsent(nil)
		c.selectEvents(false)
		c.allSent() // rule: server-goes-on-when-all-is-sent
		c.handle(nil)
	case n > 0:
		c.sent += n // rule: server-counts-what-is-sent-later
		c.restartDeadline()
	}
}

// allSent goes on when everything has been sent: with the next request, or the next part of a stream.
func (c *conn) allSent() {
	switch {
	case c.state == ending:
		c.answered()
	case c.state == waiting && !c.inHub && c.roomNeeded == 0:
		c.wait()
	}
}

// setUnsent replaces the unsent frame, and counts its bytes.
func (c *conn) setUnsent(f *frame) {
	if old := c.unsent; old != nil {
		if old.holders--; old.holders == 0 {
			c.reactor.unsent -= len(old.bytes)
		}
	}
	c.unsent, c.sent = f, 0
	if f == nil {
		c.updateDeadline()
		return
	}
	if f.holders++; f.holders == 1 {
		c.reactor.unsent += len(f.bytes)
	}
	c.restartDeadline()
}

// selectEvents selects whether the loop waits until the connection can be read or until it can be written.
func (c *conn) selectEvents(write bool) {
	if err := c.reactor.system.selectEvents(c.fd, c.generation, write); err != nil {
		c.fail(err)
	}
}
