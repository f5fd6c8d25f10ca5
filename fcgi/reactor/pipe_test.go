package reactor

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"novcomet/core/sim"
	"novcomet/fcgi/fastcgi"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// pipe is a connection of the proxy. It moves bytes in pieces, with pauses of nanoseconds. It can be slow,
// and break at any step.
type pipe struct {
	*socketEnd
	*WebServer
	piece  int         // bytes that are moved at once, at most
	used   bool        // An earlier request used it, too.
	broken atomic.Bool // The web server has closed it.

	// The following belong to one request.
	visitor  sim.Visitor
	random   *rand.Rand
	pauses   int           // how many are left; negative: there are none
	steps    int           // until the connection breaks; negative: it does not
	slowSend time.Duration // after slowAt bytes
	slowAt   int
	slowRead time.Duration
	part     []byte // the part of the answer that is arriving
	read     int    // how many bytes of the answer have arrived
}

func (c *pipe) Read(b []byte) (int, error) {
	if _, err := c.socketEnd.Read(nil); err == nil && c.pauses > 0 {
		// Let the loop first write all that it can. Otherwise chance would decide how much this reads, and no
		// history could be played again.
		time.Sleep(time.Nanosecond)
	}
	n, err := c.socketEnd.Read(b[:c.length(len(b))])
	if len(c.part) == 0 && n > 0 {
		c.visitor.Answered()
	}
	hadHeader := c.hasContent()
	c.part = append(c.part, b[:n]...)
	if c.read += n; !hadHeader && c.hasContent() {
		// A client is slow only with a part that fits into no buffer, so that the loop has to wait for it.
		if c.isBlocked() {
			time.Sleep(c.slowRead)
		}
	}
	c.step(false)
	return n, err
}

// hasContent reports whether the header of a record with output has arrived.
func (c *pipe) hasContent() bool {
	return len(c.part) >= 8 && c.part[1] == byte(fastcgi.Stdout) && c.part[4]|c.part[5] != 0
}

func (c *pipe) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var part int
		part, err = c.socketEnd.Write(b[n : n+c.length(len(b)-n)])
		if n += part; n > c.slowAt && n < len(b) {
			time.Sleep(c.slowSend)
			c.slowSend = 0
		}
		c.step(n == len(b))
	}
	return n, err
}

func (c *pipe) Close() error {
	c.broken.Store(true)
	return c.socketEnd.Close()
}

// step is called when bytes have moved. It pauses before the next ones.
func (c *pipe) step(isLast bool) {
	if c.steps--; c.steps == 0 {
		c.Close()
	}
	if c.pauses--; c.pauses > 0 && !isLast {
		time.Sleep(time.Duration(1 + c.random.IntN(4)))
	}
}

// length returns how many of n bytes are moved in one step. After the last pause, the rest moves at once.
func (c *pipe) length(n int) int {
	if c.pauses == 0 {
		return n
	}
	return min(n, 1+c.random.IntN(c.piece))
}
