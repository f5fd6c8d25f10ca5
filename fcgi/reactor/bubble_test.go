package reactor

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
	"novcomet/core/cgienv"
	"novcomet/core/event"
	"novcomet/core/hub"
	"novcomet/core/store"
	"novcomet/fcgi/fastcgi"
	"novcomet/fcgi/fastcgi/fastcgitest"
)

// memoryStore is a store without files or servers. Its clock is that of a synctest bubble.
type memoryStore struct {
	core.CheckFunc
	publish func(context.Context) // is called by each publication, unless it is nil

	mu     sync.Mutex
	stamps map[event.ID]event.Stamp
	data   map[event.ID][]byte
}

func newMemoryStore() *memoryStore {
	return &memoryStore{stamps: map[event.ID]event.Stamp{}, data: map[event.ID][]byte{}}
}

func (m *memoryStore) Check(_ context.Context, ids []event.ID) (store.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	snapshot := store.Snapshot{Now: event.StampOf(time.Now())}
	for _, id := range ids {
		snapshot.Stamps = append(snapshot.Stamps, m.stamps[id])
	}
	return snapshot, nil
}

func (m *memoryStore) Publish(ctx context.Context, id event.ID, data []byte) (event.Stamp, error) {
	if m.publish != nil {
		m.publish(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stamps[id] = max(event.StampOf(time.Now()), m.stamps[id]+1)
	m.data[id] = data
	return m.stamps[id], nil
}

func (m *memoryStore) Data(_ context.Context, ids []event.ID, limit int) (all []store.Content, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		all = append(all, store.Limited(m.data[id], limit))
	}
	return all, nil
}

// testService is a service as that of comet-fcgi. Polls wait for ten seconds, with a check each second. A
// request must be complete after five seconds.
type testService struct {
	handler  cgienv.Handler
	location core.Location
	open     func(*fastcgi.Request) // is called by Open, unless it is nil
}

func newTestService(log *slog.Logger, m *memoryStore) *testService {
	const mostData = 1 << 20
	s := &testService{location: core.Location{Tries: 10, Sleep: time.Second}}
	s.handler = cgienv.Handler{
		Log:      log,
		Location: func(map[string]string) (*core.Location, error) { return &s.location, nil },
		Endpoint: core.NewEndpoint(m, core.Options{
			Log: log, Limits: core.Limits{Limits: hub.Limits{MaxData: mostData, MaxAnswerData: 8 * mostData}, MaxForm: mostData},
		}),
	}
	return s
}

// blocks is a variable of requests that may not be opened on the loop.
const blocks = "BLOCKS"

func (s *testService) Open(r *fastcgi.Request, mayBlock bool) Opened {
	if s.open != nil {
		s.open(r)
	}
	switch {
	case r.Variables[blocks] != "" && !mayBlock:
		return Opened{Blocks: true}
	case errors.Is(r.Refused, ErrFull):
		return s.refuse(r, http.StatusServiceUnavailable)
	case r.Refused != nil:
		return s.refuse(r, http.StatusRequestEntityTooLarge)
	}
	return Opened{Opened: s.handler.Open(r.Variables, bytes.NewReader(r.Body))}
}

func (s *testService) refuse(r *fastcgi.Request, status int) Opened {
	return Opened{Opened: core.Opened{Handler: s.handler.Refuse(r.Variables, status, r.Refused.Error())}}
}

const requestTimeout = 5 * time.Second

func (s *testService) Limits() Limits {
	const most = 1 << 20
	return Limits{Limits: fastcgi.Limits{Params: most, Body: most}, Time: requestTimeout}
}

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
	b := &bubble{
		t: t, log: &bytes.Buffer{}, system: newSimulation(), store: newMemoryStore(), ended: make(chan struct{}),
	}
	o.Log = slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o.MaxConnections = cmp.Or(o.MaxConnections, 100)
	o.MaxServing = cmp.Or(o.MaxServing, 8)
	o.MaxBuffered = cmp.Or(o.MaxBuffered, 64<<20)
	b.service = newTestService(o.Log, b.store)
	b.endpoint = b.service.handler.Endpoint
	b.Reactor = newReactor(b.service, o, b.system)
	go func() {
		defer close(b.ended)
		b.Run()
	}()
	return b
}

// webServer is a web server's end of a connection of a bubble.
type webServer struct {
	*fastcgitest.WebServer
	*socketEnd
}

// Read, Write and Close are those of both.
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

// acceptWith is connectWith while the loop runs.
func (b *bubble) acceptWith(size int) *webServer {
	b.places <- struct{}{}
	fd, end := b.system.connect(size)
	b.inbox.post(func(in *messages) { in.accepted = append(in.accepted, fd) })
	w := &webServer{fastcgitest.NewWebServer(end), end}
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
	if c, w := b.Connections(), b.Waiting(); c != connections || w != waiting {
		b.t.Errorf("%d connections, %d polls and streams; want %d, %d", c, w, connections, waiting)
	}
}

// wantBuffered checks how many bytes are counted.
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
	if b.Stop(); b.t.Failed() {
		b.Close()
	}
	<-b.ended
	b.endpoint.Close()
	<-b.endpoint.Ended()
	left := len(b.timed) + len(b.frames) + b.contenders + len(b.lastReads) + len(b.places) + b.jobs.running + b.system.open()
	if b.buffered() != 0 || left > 0 {
		b.t.Errorf("%d bytes are buffered; left are %d deadlines, %d frames, %d results, %d idle connections, %d places, %d jobs, "+
			"%d descriptors", b.buffered(), len(b.timed), len(b.frames), b.contenders, len(b.lastReads), len(b.places), b.jobs.running,
			b.system.open())
	}
	if n := strings.Count(b.log.String(), "panic="); n != b.panics {
		b.t.Errorf("%d panics, want %d: %s", n, b.panics, b.log)
	}
	if n := b.endpoint.Metrics().Streams.Load(); n != 0 {
		b.t.Errorf("%d streams are open", n)
	}
}

// wantAfter checks the time since begin.
func wantAfter(t testing.TB, what string, begin time.Time, want time.Duration) {
	t.Helper()
	if took := time.Since(begin); took != want {
		t.Errorf("%s after %v, want %v", what, took, want)
	}
}

// buffered returns what the reactor holds for slow web servers, in bytes.
func (b *bubble) buffered() int { return b.received + b.unsent }
