// Package reactor holds thousands of FastCGI connections in one epoll loop. A poll or a stream that waits
// takes a small struct, no goroutine and no buffer.
//
// The loop reads requests, and answers every poll and stream. It never waits for a store, a disk or a web
// server. Any other request does something that may block, such as a publication. It gets a goroutine, on
// which net/http/fcgi serves it (job.go).
//
// A request goes through these files: accept.go, record.go, then subscriber.go or job.go, then frame.go.
//
// Once accept.go has posted the descriptor of a connection, only the loop reads, writes, registers or closes
// it. Other goroutines post to the loop (inbox.go).
package reactor

import (
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"novcomet/core"
	"novcomet/fcgi/fastcgi"
)

// Service is what a [Reactor] serves.
type Service interface {
	// Open decides what becomes of a request. Unless mayBlock is set, it must not block.
	Open(r *fastcgi.Request, mayBlock bool) Opened
	// Limits returns the limits of a request that begins now.
	Limits() Limits
}

// Opened says how a request is answered. The loop answers a Subscriber. A Handler runs outside the loop, even
// if the client has left; it gets the body of the request from net/http/fcgi. A Handler must recover from its
// own panics: net/http/fcgi does not, so they would end the process.
type Opened struct {
	core.Opened
	// Blocks reports that Open must be called again, with mayBlock. Nothing else is set.
	Blocks bool
}

// Limits are those of one request.
type Limits struct {
	fastcgi.Limits
	// Time limits how long a request may take to arrive, counted from its first byte, or on a new connection
	// from when it was accepted. It also limits how long an answer waits for a web server that reads nothing.
	Time time.Duration
}

// Options configure a [Reactor].
type Options struct {
	MaxConnections int // further ones wait in the backlog of the socket
	MaxServing     int // handlers that run at the same time; half of them, but at least one, may publish
	MaxBuffered    int // bytes of requests that are arriving or being served; as many of answers that are not read
	Log            *slog.Logger
}

// Reactor is the loop and its connections.
type Reactor struct {
	service Service
	options Options
	system  system
	inbox   inbox
	places  chan struct{} // a semaphore: each connection has taken one

	connections atomic.Int64
	parked      atomic.Int64 // polls and streams
	serving     atomic.Int64

	// Only the loop uses the following.
	conns      []*conn // by descriptor
	generation int32
	timed      map[*conn]struct{} // connections that have a deadline
	due        time.Time          // when the next deadline may be over; zero: there is none
	frames     frames
	queue      []*conn // their subscribers wait for room; roomNeeded is 0 if a subscriber no longer waits
	queued     int     // how many of them still wait
	lastReads  []*conn // idle ones, to be closed after one last read
	jobs       jobs
	scavenger  scavenger
	received   int // bytes of requests that are arriving or being served
	unsent     int // bytes of answers that are not read
	stopping   bool
	closing    bool
	buffer     [64 << 10]byte
}

// New returns a reactor. Run must be called.
func New(service Service, o Options) (*Reactor, error) {
	s, err := newEpoll()
	if err != nil {
		return nil, err
	}
	return newReactor(service, o, s), nil
}

func newReactor(service Service, o Options, s system) *Reactor {
	return &Reactor{
		service: service, options: o, system: s, inbox: inbox{wake: s.wake},
		places: make(chan struct{}, o.MaxConnections), timed: map[*conn]struct{}{}, frames: frames{},
		scavenger: scavenger{free: debug.FreeOSMemory},
	}
}

// Connections returns how many connections there are.
func (r *Reactor) Connections() int { return int(r.connections.Load()) }

// Parked returns how many polls and streams are parked.
func (r *Reactor) Parked() int { return int(r.parked.Load()) }

// Serving returns how many requests are being served outside the loop.
func (r *Reactor) Serving() int { return int(r.serving.Load()) }

// receivedIsFull and unsentIsFull report whether Options.MaxBuffered is reached.
func (r *Reactor) receivedIsFull() bool { return r.received >= r.options.MaxBuffered }
func (r *Reactor) unsentIsFull() bool   { return r.unsent >= r.options.MaxBuffered }

// publicationsAreFull reports whether as many publications wait as there may be connections. Those whose
// clients have left wait, too.
func (r *Reactor) publicationsAreFull() bool {
	return len(r.jobs.publications) >= r.options.MaxConnections
}

// Stop closes each connection after the answer to its request, and idle connections after one last read. It
// returns at once. Run returns when the last connection is closed.
func (r *Reactor) Stop() { r.inbox.post(func(m *messages) { m.stop = true }) }

// Close closes all connections. Run then returns.
func (r *Reactor) Close() { r.inbox.post(func(m *messages) { m.close = true }) }

// Run is the loop. It returns after Close, or when, after Stop, no connection and no request is left.
func (r *Reactor) Run() {
	defer r.end()
	ready := make([]readiness, 512)
	for !r.closing && !(r.stopping && r.connections.Load() == 0 && r.jobs.running == 0) {
		n := r.system.wait(ready, r.pause())
		for _, e := range ready[:n] {
			if c := r.connOf(e); c != nil {
				r.guard(c, func() { c.ready(e) })
			}
		}
		r.scavenger.note(n + r.receive())
		clear(r.frames)
		// If ready was full, more may have arrived, perhaps on a connection that seems to be late. A call of wake
		// takes one of the places.
		if n+1 < len(ready) {
			r.closeLate()
		}
		r.releaseQueue() // after closeLate, which makes room
		r.closeIdle()
		r.jobs.start(r)
		r.scavenger.release()
	}
}

// connOf returns the connection of an event. It is nil if the connection was closed, even if its descriptor
// is in use again.
func (r *Reactor) connOf(e readiness) *conn {
	if int(e.fd) >= len(r.conns) {
		return nil
	}
	if c := r.conns[e.fd]; c != nil && c.generation == e.generation {
		return c
	}
	return nil
}

// guard makes a panic end only its own connection.
func (r *Reactor) guard(c *conn, f func()) {
	defer func() {
		if problem := recover(); problem != nil {
			r.logPanic(problem)
			c.close()
		}
	}()
	f()
}

func (r *Reactor) logPanic(problem any) {
	r.options.Log.Error("a request ended in a panic", "panic", problem, "stack", string(debug.Stack()))
}

// receive handles what was posted to the loop. It returns the number of results, which is a measure of work.
func (r *Reactor) receive() int {
	in := r.inbox.take()
	for _, fd := range in.accepted {
		r.addConn(fd)
	}
	for _, d := range in.results {
		r.guard(d.conn, func() { d.conn.deliver(d.result) })
	}
	for _, o := range in.outcomes {
		r.guard(o.conn, func() { r.jobs.end(o) })
	}
	r.closing = r.closing || in.close
	if in.stop && !r.stopping {
		r.stopping = true
		for _, c := range r.conns {
			if c != nil && c.state == idle {
				r.lastReads = append(r.lastReads, c)
			}
		}
	}
	return len(in.results)
}

// closeIdle closes idle connections, because the reactor stops, or others need their places.
func (r *Reactor) closeIdle() {
	for len(r.lastReads) > 0 {
		c := pop(&r.lastReads)
		r.guard(c, c.readLast)
	}
}

// end closes all connections, those included that were accepted too late.
func (r *Reactor) end() {
	for _, fd := range r.inbox.end().accepted {
		r.addConn(fd)
	}
	for _, c := range r.conns {
		if c != nil {
			c.close()
		}
	}
	r.system.end()
}
