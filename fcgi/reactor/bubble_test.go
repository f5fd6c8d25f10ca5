package reactor

import (
	"bytes"
	"cmp"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
	"novcomet/core/event"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// bubble is a reactor in a synctest bubble, on a simulation.
type bubble struct {
	*Reactor
	t        testing.TB
	system   *simulation
	store    *memoryStore
	service  *testService
	endpoint *core.Endpoint
	log      *bytes.Buffer
	panics   int // that the test causes
	ended    chan struct{}
	ends     []*webServer
}

// inBubble runs a test in a bubble. At its end, the web servers close their connections. Then nothing must be
// left of them.
func inBubble(t *testing.T, o Options, f func(t *testing.T, b *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, o)
		defer b.end()
		f(t, b)
	})
}

func startBubble(t testing.TB, o Options) *bubble {
	log, store := &bytes.Buffer{}, newMemoryStore()
	o.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b := startBubbleOf(newTestService(o.Log, store), o)
	b.t, b.log, b.store = t, log, store
	return b
}

// startBubbleOf starts a bubble without a test, a store and a log of its own.
func startBubbleOf(service *testService, o Options) *bubble {
	b := &bubble{
		system: newSimulation(), ended: make(chan struct{}), service: service, endpoint: service.handler.Endpoint,
	}
	o.MaxConnections = cmp.Or(o.MaxConnections, 100)
	o.MaxServing = cmp.Or(o.MaxServing, 8)
	o.MaxBuffered = cmp.Or(o.MaxBuffered, 64<<20)
	b.Reactor = newReactor(b.service, o, b.system)
	go func() {
		defer close(b.ended)
		b.Run()
	}()
	return b
}

// webServer is a web server's end of a connection of a bubble.
type webServer struct {
	*WebServer
	*socketEnd
}

// Read, Write and Close are methods of both embedded types.
func (w *webServer) Read(b []byte) (int, error)  { return w.WebServer.Read(b) }
func (w *webServer) Write(b []byte) (int, error) { return w.WebServer.Write(b) }
func (w *webServer) Close() error                { return w.WebServer.Close() }

// socketSize is about the size of the buffers of a real socket.
const socketSize = 200 << 10

// connect returns the web server's end of a connection that was just accepted.
func (b *bubble) connect() *webServer { return b.connectWith(socketSize) }

// connectWith is connect with buffers of this size.
func (b *bubble) connectWith(size int) *webServer {
	w := b.acceptWith(size)
	synctest.Wait()
	return w
}

// acceptWith is connectWith, but does not wait until the loop has handled the connection.
func (b *bubble) acceptWith(size int) *webServer {
	b.places <- struct{}{}
	fd, end := b.system.connect(size)
	b.inbox.post(func(m *messages) { m.accepted = append(m.accepted, fd) })
	w := &webServer{NewWebServer(end), end}
	b.ends = append(b.ends, w)
	return w
}

// publish publishes an event as another program does.
func (b *bubble) publish(name, data string) {
	b.t.Helper()
	id, err := event.ParseID(name)
	if err == nil {
		_, err = b.store.Publish(b.t.Context(), id, []byte(data))
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// wantConnections checks how many connections, and how many polls and streams, are left.
func (b *bubble) wantConnections(connections, waiting int) {
	b.t.Helper()
	synctest.Wait()
	if c, w := b.Connections(), b.Parked(); c != connections || w != waiting {
		b.t.Errorf("%d connections, %d polls and streams; want %d, %d", c, w, connections, waiting)
	}
}

// wantBuffered checks how many bytes of requests and answers are counted.
func (b *bubble) wantBuffered(want int) {
	b.t.Helper()
	synctest.Wait()
	if b.buffered() != want {
		b.t.Errorf("%d bytes are buffered, want %d", b.buffered(), want)
	}
}

// end ends the reactor. Before, each connection must be forgotten as soon as its web server has gone.
func (b *bubble) end() {
	b.t.Helper()
	for _, w := range b.ends {
		w.Close()
	}
	b.wantConnections(0, 0)
	if n := b.endpoint.Metrics().Waiting.Load(); n != 0 {
		b.t.Errorf("%d polls and streams wait in the hub", n)
	}
	if b.Stop(); b.t.Failed() {
		b.Close()
	}
	<-b.ended
	b.endpoint.Close()
	<-b.endpoint.Ended()
	if left := b.left(); left != nil {
		b.t.Errorf("something is left: %v", left)
	}
	if n := strings.Count(b.log.String(), "panic="); n != b.panics {
		b.t.Errorf("%d panics, want %d: %s", n, b.panics, b.log)
	}
}

// left returns what is left when the reactor has ended.
func (b *bubble) left() (left []string) {
	for what, n := range map[string]int{
		"bytes": b.buffered(), "deadlines": len(b.timed), "frames": len(b.frames), "subscribers in the queue": b.queued,
		"idle connections": len(b.lastReads), "places": len(b.places), "jobs": b.jobs.running, "descriptors": b.system.open(),
		"streams": int(b.endpoint.Metrics().Streams.Load()),
	} {
		if n != 0 {
			left = append(left, fmt.Sprintf("%d %s", n, what))
		}
	}
	return left
}

// wantAfter checks the time since begin.
func wantAfter(t testing.TB, what string, begin time.Time, want time.Duration) {
	t.Helper()
	if took := time.Since(begin); took != want {
		t.Errorf("%s after %v, want %v", what, took, want)
	}
}

// buffered returns how many bytes of requests and answers are counted.
func (b *bubble) buffered() int { return b.received + b.unsent }

const largeSize = 300_000 // bytes, more than fit into a socket

// inFullBubble runs a test in a bubble in which MaxBuffered is reached: a web server does not read its
// answer.
func inFullBubble(t *testing.T, f func(t *testing.T, b *bubble, slow *webServer)) {
	t.Helper()
	inBubble(t, Options{MaxBuffered: largeSize / 2}, func(t *testing.T, b *bubble) {
		b.publish("large", strings.Repeat("x", largeSize))
		time.Sleep(time.Second)
		slow := b.connect()
		slow.Send(t, largePoll(1, 0))
		synctest.Wait()
		if !b.unsentIsFull() {
			t.Fatalf("%d bytes are buffered", b.buffered())
		}
		f(t, b, slow)
	})
}

// largePoll returns a poll whose answer is large.
func largePoll(id uint16, flags byte) []byte {
	return Request(id, flags, Get("subscribed[large]=1.0&data=1"), "")
}

// wantQueued checks how many subscribers wait for room.
func (b *bubble) wantQueued(n int) {
	b.t.Helper()
	synctest.Wait()
	queued := 0
	for _, c := range b.conns {
		if c != nil && c.roomNeeded > 0 {
			queued++
		}
	}
	if queued != n {
		b.t.Errorf("%d subscribers wait for room, want %d", queued, n)
	}
}
