package reactor

import (
	"net/http"
	"time"

	"novcomet/core"
	"novcomet/core/hub"
	"novcomet/fcgi/fastcgi"
)

// subscribe parks a poll or a stream on its connection.
func (c *conn) subscribe(s *core.Subscriber) {
	c.subscriber = s
	c.reactor.parked.Add(1)
	c.setState(waiting)
	if !s.IsStream() {
		c.wait()
		return
	}
	header := http.Header{}
	preamble := s.Begin(header)
	c.send(privateFrame(fastcgi.AppendStdout(nil, c.id, response(header, preamble)))) // Then allSent calls wait.
}

// wait registers the subscriber in the hub.
func (c *conn) wait() {
	c.inHub = true
	c.subscriber.Wait(c)
}

// Deliver implements [hub.Receiver].
func (c *conn) Deliver(result *hub.Result) {
	// rule: server-delivers-each-result
	c.reactor.inbox.post(func(m *messages) { m.results = append(m.results, postedResult{c, result}) })
}

// deliver handles the result in the loop. While too many bytes are unsent, a large result is dropped, and its
// subscriber waits for room. Then it resumes its wait in the hub, which finds at once what has changed.
func (c *conn) deliver(result *hub.Result) {
	const large = 64 << 10 // bytes; a smaller answer fits into the buffer of a socket
	c.inHub = false
	switch r := c.reactor; {
	case c.state == closed:
	case c.aborted:
		c.finish(endFrame(c.id))
	case r.unsentIsFull() && result.Size() > large:
		c.roomNeeded = result.Size()
		r.queue = append(r.queue, c)
		r.queued++
		r.dueBy(time.Now()) // Slow web servers have less time from now on.
	default:
		c.answer(result)
	}
}

// answer sends the result. A stream waits for its next result only when this one has been sent. So a slow
// reader costs the memory of one part, and then gets the latest state of each event.
func (c *conn) answer(result *hub.Result) {
	body, last := c.subscriber.Part(result)
	f := c.reactor.frames.of(c.id, c.subscriber, body, last)
	if last { // rule: server-keeps-a-stream-after-a-part
		c.finish(f)
	} else {
		c.send(f)
	}
}

// releaseQueue lets subscribers resume their wait in the hub as far as there is room for their answers.
func (r *Reactor) releaseQueue() {
	for room := r.options.MaxBuffered - r.unsent; room > 0 && len(r.queue) > 0; {
		if c := pop(&r.queue); c.roomNeeded > 0 {
			room -= c.roomNeeded
			c.leaveQueue()
			c.inHub = true
			c.subscriber.Resume()
		}
	}
}

func (c *conn) leaveQueue() {
	if c.roomNeeded > 0 {
		c.roomNeeded = 0
		c.reactor.queued--
	}
}

// abortSubscriber ends a poll or stream that the web server has aborted. If its result is on the way, deliver
// ends it.
func (c *conn) abortSubscriber() {
	if c.inHub && !c.subscriber.Cancel() {
		c.aborted = true
		return
	}
	c.inHub = false
	c.finish(endFrame(c.id))
}

// unsubscribe forgets the subscriber.
func (c *conn) unsubscribe() {
	if c.subscriber == nil {
		return
	}
	if c.inHub {
		c.subscriber.Cancel() // rule: server-leaves-the-hub-with-its-client
	}
	c.leaveQueue()
	c.subscriber.Close() // rule: server-counts-the-streams-that-end
	c.subscriber, c.inHub = nil, false
	c.reactor.parked.Add(-1)
}

// endFrame ends a request without an answer.
func endFrame(id uint16) *frame {
	return privateFrame(fastcgi.AppendEnd(nil, id, fastcgi.RequestComplete))
}

// pop removes and returns the first element of a queue. The queue keeps nothing of it in memory.
func pop[T any](queue *[]T) T {
	first := (*queue)[0]
	clear((*queue)[:1])
	*queue = (*queue)[1:]
	return first
}
