package reactor

import (
	"time"

	"novcomet/core"
)

// A connection has a deadline while its request is incomplete, and while something is unsent. Parked polls
// and idle connections have none. So there are few deadlines, and the loop checks all of them when the
// first one may be over.

// updateDeadline sets or removes the deadline as the state of the connection requires. A deadline that is set
// already goes on.
func (c *conn) updateDeadline() {
	needed := c.state == reading || c.unsent != nil
	switch {
	case !needed && !c.since.IsZero():
		c.since = time.Time{}
		delete(c.reactor.timed, c)
	case needed && c.since.IsZero():
		c.restartDeadline()
	}
}

func (c *conn) restartDeadline() {
	c.since = time.Now()
	c.reactor.timed[c] = struct{}{}
	c.reactor.dueBy(c.deadline())
}

// deadline returns when the connection is closed. While something is unsent, each byte that the web server
// reads restarts the deadline, and it is short if subscribers wait for room.
func (c *conn) deadline() time.Time {
	limit := c.reactor.service.Limits().Time
	if c.unsent != nil && c.subscriber != nil && c.subscriber.IsStream() {
		limit = core.StreamWriteTimeout
	}
	if c.unsent != nil && c.reactor.queued > 0 {
		limit = min(limit, time.Second)
	}
	return c.since.Add(limit)
}

// dueBy makes the loop check the deadlines at that time, or earlier.
func (r *Reactor) dueBy(t time.Time) {
	if r.due.IsZero() || t.Before(r.due) {
		r.due = t
	}
}

// pause returns how long the loop may wait; negative: until something happens.
func (r *Reactor) pause() time.Duration {
	due := r.scavenger.due()
	if due.IsZero() || !r.due.IsZero() && r.due.Before(due) {
		due = r.due
	}
	if due.IsZero() {
		return -1
	}
	return max(0, time.Until(due))
}

// closeLate closes the connections whose deadline is over. It checks all deadlines, but not too often.
func (r *Reactor) closeLate() {
	const interval = 50 * time.Millisecond
	now := time.Now()
	if r.due.IsZero() || now.Before(r.due) {
		return
	}
	r.due = time.Time{}
	for c := range r.timed {
		if end := c.deadline(); now.Before(end) {
			r.dueBy(end)
		} else {
			r.guard(c, c.late)
		}
	}
	if earliest := now.Add(interval); !r.due.IsZero() && r.due.Before(earliest) {
		r.due = earliest
	}
}

// late closes the connection, unless its web server has read something meanwhile. The system reports that the
// connection can be written only when a large part of its buffer is free. So the loop tries to write.
func (c *conn) late() {
	since := c.since
	if c.unsent != nil {
		c.flush()
	}
	if c.since.Equal(since) {
		c.fail(errLate)
	}
}
