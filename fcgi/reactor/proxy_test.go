package reactor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"novcomet/core"
	"novcomet/core/sim"
	"novcomet/fcgi/fastcgi"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// schedule is how the web server and the sockets of a history behave.
type schedule struct {
	seed     uint64 // of what is drawn for each request and each connection
	piece    int    // bytes that are moved at once, at most
	size     int    // of the buffers of a socket, in bytes
	keeps    int    // how many per cent of the requests ask to keep the connection
	breaks   int    // how many per cent of the requests lose their connection
	aborts   int    // how many per cent of the clients that leave are reported by ABORT_REQUEST; otherwise by closing
	slowSend time.Duration
	slowRead time.Duration
	places   int // for connections
}

// fewPlaces are more than the clients of a history need, but idle connections may take all of them.
const fewPlaces = 8

// proxy is the web server of a history. It passes each request on to the reactor, as nginx does.
//
// A publication is sent at a whole microsecond, and a poll between two. A request and an answer pass in less
// than a microsecond, unless the schedule is slow. So it does not matter to the judge how long bytes take.
type proxy struct {
	*bubble
	schedule
	locations sync.Map // by locationVariable
	draining  atomic.Bool

	mu       sync.Mutex
	idle     []*pipe
	problems []string
}

// locationVariable names the location of a request.
const locationVariable = "LOCATION"

func (p *proxy) location(variables map[string]string) (*core.Location, error) {
	l, _ := p.locations.Load(variables[locationVariable])
	return l.(*core.Location), nil
}

// Serve implements [sim.Server].
func (p *proxy) Serve(v sim.Visitor, r *http.Request, l *core.Location) {
	// No two requests begin at the same time, so each has numbers of its own, the same in each run.
	random := rand.New(rand.NewPCG(p.seed, uint64(time.Now().UnixNano())))
	name := fmt.Sprintf("%p", l)
	p.locations.Store(name, l)
	e := &exchange{proxy: p, random: random, visitor: v, request: r, id: uint16(1 + random.IntN(2))}
	e.keep, e.aborts = e.chance(p.keeps), e.chance(p.aborts)
	e.waits = strings.Contains(r.URL.RawQuery, "subscribed")
	variables := With(Get(r.URL.RawQuery), "REQUEST_METHOD", r.Method, locationVariable, name,
		"HTTP_ACCEPT", r.Header.Get("Accept"), "HTTP_LAST_EVENT_ID", r.Header.Get("Last-Event-ID"))
	body, _ := io.ReadAll(r.Body)
	if r.Method == http.MethodPut {
		variables["CONTENT_LENGTH"] = strconv.Itoa(len(body))
	}
	e.records = Request(e.id, flagsOf(e.keep), variables, string(body))

	begin := time.Now().Add(time.Microsecond - 1).Truncate(time.Microsecond)
	if e.waits {
		begin = begin.Add(time.Duration(50 + random.IntN(150)))
	}
	time.Sleep(time.Until(begin))
	e.pipe = p.reuse(random)
	for !e.run() { // nginx does not send a publication again, but here that is harmless.
		e.pipe = nil
	}
}

func flagsOf(keep bool) byte {
	if keep {
		return Keep
	}
	return 0
}

// reuse returns an idle connection; or nil, at random or because there is none.
func (p *proxy) reuse(random *rand.Rand) *pipe {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 || random.IntN(2) == 0 {
		return nil
	}
	c := p.idle[0]
	c.used = true
	p.idle = p.idle[1:]
	return c
}

// connect returns a new connection, whose other end moves few bytes at once.
func (p *proxy) connect(random *rand.Rand) *pipe {
	select {
	case p.Reactor.places <- struct{}{}:
	case <-time.After(time.Hour):
		p.report("full: there is no place for a connection")
	}
	fd, end := p.system.connect(p.size)
	moves := rand.New(rand.NewPCG(random.Uint64(), 0))
	end.moves = func(n int) int { return min(n, moves.IntN(p.piece+1)) }
	end.patience = 10 * time.Minute
	p.inbox.post(func(m *messages) { m.accepted = append(m.accepted, fd) })
	c := &pipe{socketEnd: end, piece: p.piece}
	c.WebServer = NewWebServer(c)
	return c
}

// Drain implements [sim.Server]. Like comet-fcgi, it answers all that wait, and closes all connections.
func (p *proxy) Drain() {
	p.draining.Store(true)
	p.endpoint.Drain()
	p.Stop()
}

// Close implements [sim.Server].
func (p *proxy) Close() {
	for _, c := range p.idle {
		c.Close()
	}
	p.Stop()
	<-p.ended
	p.endpoint.Close()
	<-p.endpoint.Ended()
	for _, left := range p.left() {
		p.report("left: %s", left)
	}
}

// report reports a problem. Its first word names it.
func (p *proxy) report(format string, values ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, fmt.Sprintf(format, values...))
}

// Write makes a proxy the output of a log. The only errors that the reactor logs are panics.
func (p *proxy) Write(line []byte) (int, error) {
	p.report("panic: %s", line)
	return len(line), nil
}

// exchange is a request and its answer.
type exchange struct {
	*proxy
	random       *rand.Rand
	visitor      sim.Visitor
	request      *http.Request
	records      []byte
	id           uint16
	waits        bool // It does not publish.
	keep, aborts bool
	pipe         *pipe
	aborted      time.Time // when ABORT_REQUEST was sent, because the client had left
	hasHeader    bool      // The visitor has the header of the answer.
	out          []byte    // what has arrived, but was not passed on to the visitor
}

func (e *exchange) chance(percent int) bool { return e.random.IntN(100) < percent }

// run sends the request, and receives the answer. It returns false if the reactor has closed an idle
// connection meanwhile. Then the request is sent again.
func (e *exchange) run() (done bool) {
	if e.pipe == nil {
		e.pipe = e.connect(e.random)
	}
	c := e.pipe
	c.visitor, c.random, c.read, c.slowSend, c.slowRead = e.visitor, e.random, 0, 0, 0
	c.steps, c.pauses = -1, -1
	if e.waits {
		c.slowSend, c.slowAt = e.slowSend, e.random.IntN(400)
	}
	// The connection of a legacy poll does not break: its client may miss what is published before it has an
	// answer.
	isPrecise := strings.Contains(e.request.URL.RawQuery, "=now") || strings.Contains(e.request.URL.RawQuery, ".")
	if (isPrecise || !e.waits) && e.chance(e.breaks) {
		c.steps = 1 + e.random.IntN(60)
	}
	err := e.sendAndReceive()
	switch {
	case err == nil && e.keep && !c.broken.Load():
		e.mu.Lock()
		defer e.mu.Unlock()
		e.idle = append(e.idle, c)
		return true
	case err == nil:
	case c.used && c.read == 0 && !c.broken.Load() && e.request.Context().Err() == nil:
		if c.Close(); e.places > fewPlaces && !e.draining.Load() {
			e.report("closed: an idle connection was closed although there are places")
		}
		return false
	default:
		if !e.draining.Load() && !c.broken.Load() && e.request.Context().Err() == nil {
			e.report("closed: request %q ended with %v after %q", e.request.URL.RawQuery, err, e.out)
		}
		e.visitor.Lost()
	}
	c.Close()
	return true
}

// sendAndReceive sends the request, and passes on the answer.
func (e *exchange) sendAndReceive() error {
	c := e.pipe
	e.await()
	if _, err := c.Write(e.records); err != nil {
		return err
	}
	e.visitor.Sent()
	left := make(chan struct{})
	stop := context.AfterFunc(e.request.Context(), func() {
		defer close(left)
		e.leave()
	})
	err := e.receive()
	if !stop() {
		<-left
		if took := time.Since(e.aborted); e.aborts && took > e.slowRead+time.Microsecond {
			e.report("unended: request %q ended %v after it was aborted", e.request.URL.RawQuery, took)
		}
	} else if err == nil && !e.keep {
		if _, _, _, end := c.Receive(); !errors.Is(end, io.EOF) && !c.broken.Load() {
			e.report("kept: a connection is open after request %q: %v", e.request.URL.RawQuery, end)
		}
	}
	return err
}

// await prepares the connection for the request, for its answer, or for the next part of a stream.
func (e *exchange) await() {
	const most = 60
	if e.pipe.part = nil; e.waits {
		e.pipe.pauses = most
	}
}

// leave ends the request because the client has left.
func (e *exchange) leave() {
	if e.aborts {
		_, _ = e.pipe.socketEnd.Write(Abort(e.id)) // It fails if the connection was just closed.
		e.aborted = time.Now()
	} else {
		e.pipe.Close()
	}
}

// receive receives the answer, and passes it on: a stream in its parts.
func (e *exchange) receive() error {
	isStream := e.request.Header.Get("Accept") == "text/event-stream"
	e.await()
	if !isStream && e.waits {
		e.pipe.slowRead = e.slowRead
	}
	for {
		kind, of, content, err := e.pipe.Receive()
		switch kind := fastcgi.Type(kind); {
		case err != nil:
			return err
		case of != e.id || kind != fastcgi.Stdout && kind != fastcgi.EndRequest:
			return fmt.Errorf("a record of type %d with id %d", kind, of)
		case kind == fastcgi.EndRequest:
			return e.end(content)
		}
		e.out = append(e.out, content...)
		if !isStream || len(content) == 0 {
			continue
		}
		if e.pass(); e.hasHeader {
			e.visitor.Flush()
			e.await()
			e.pipe.slowRead = e.slowRead // The first part is never slow: it says when the stream began.
		}
	}
}

// end handles the end of a request.
func (e *exchange) end(content []byte) error {
	hasLeft := e.request.Context().Err() != nil
	switch e.pass(); {
	case !bytes.Equal(content, make([]byte, 8)):
		return fmt.Errorf("the status %v", content)
	case !e.hasHeader && !hasLeft:
		return errors.New("no answer")
	}
	return nil
}

// pass passes on what has arrived.
func (e *exchange) pass() {
	if !e.hasHeader {
		if len(e.out) == 0 {
			return
		}
		r, err := ParseResponse(0, e.out)
		if err != nil {
			e.report("malformed: %v", err)
			return
		}
		e.hasHeader = true
		e.visitor.WriteHeader(r.Status)
		e.out = []byte(r.Body)
	}
	_, _ = e.visitor.Write(e.out) // It is kept in memory.
	e.out = nil
}
