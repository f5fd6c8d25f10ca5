package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"novcomet/conf"
	"novcomet/core"
	"novcomet/core/event"
	"novcomet/core/servertest"
	"novcomet/core/store"
)

// memoryStore is a store without files or servers. Its clock is that of a synctest bubble.
type memoryStore struct {
	core.CheckFunc
	mu      sync.Mutex
	stamps  map[event.ID]event.Stamp
	publish func() // is called by each publication, unless it is nil
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

func (m *memoryStore) Publish(_ context.Context, id event.ID, _ []byte) (event.Stamp, error) {
	if m.publish != nil {
		m.publish()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stamps == nil {
		m.stamps = map[event.ID]event.Stamp{}
	}
	m.stamps[id] = max(event.StampOf(time.Now()), m.stamps[id]+1)
	return m.stamps[id], nil
}

func readSettings(t testing.TB, env ...string) conf.Loaded {
	t.Helper()
	settings, err := conf.Read(conf.Source{File: os.DevNull, Environ: env})
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// bubbleServer is the server of a test in a synctest bubble. Its connections are pipes. Polls wait for ten
// seconds, with a check each second. A request must be complete after five seconds.
type bubbleServer struct {
	*server
	t     *testing.T
	store *memoryStore
	log   bytes.Buffer
}

// inBubble runs a test in a bubble. The bubble ends only when all goroutines of the server have ended.
func inBubble(t *testing.T, f func(t *testing.T, s *bubbleServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &bubbleServer{t: t, store: &memoryStore{}}
		settings := readSettings(t, "COMET_TRIES=10", "COMET_SLEEP=1", "COMET_REQUEST_TIMEOUT=5", "COMET_MAX_SERVING=8")
		s.server = newServer(s.store, settings, 100, slog.New(newDedupHandler(slog.NewTextHandler(&s.log, nil))))
		f(t, s)
	})
}

// connect returns the web server's end of a connection that the server has just accepted.
func (s *bubbleServer) connect() *webServer {
	s.t.Helper()
	ours, theirs := net.Pipe()
	s.places <- struct{}{}
	s.enter(newConnection(theirs, s.inForce.Load().limits.time))
	s.t.Cleanup(func() { ours.Close() })
	return newWebServer(ours)
}

// publish publishes an event as another program does.
func (s *bubbleServer) publish(name string) {
	s.t.Helper()
	id, err := event.ParseID(name)
	if err == nil {
		_, err = s.store.Publish(s.t.Context(), id, nil)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// end waits until all connections have ended, and ends the server.
func (s *server) end() {
	s.working.Wait()
	s.responders.close()
	s.endpoint.Close()
}

// startInProcess starts a server in the process of the test, which can see its state. Polls wait longer
// than any test.
func startInProcess(t *testing.T, directory string, env ...string) (s *server, path string) {
	t.Helper()
	env = append([]string{"COMET_FILE_DIRECTORY=" + directory, longPoll, "COMET_SLEEP=100ms"}, env...)
	settings := readSettings(t, env...)
	opened, err := openStore(settings.Config)
	if err != nil {
		t.Fatal(err)
	}
	const connections = 10_000
	settings.Config = withMaxWaiting(settings.Config, connections)
	path = filepath.Join(servertest.OpenDirectory(t), "comet.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s = newServer(opened, settings, connections, slog.New(slog.DiscardHandler))
	s.working.Go(func() { s.serve(l) })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), servertest.Patience)
		defer cancel()
		l.Close()
		s.stop(ctx)
	})
	return s, path
}

func (s *server) waiting() int { return int(s.metrics.Waiting.Load()) }

func (s *server) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// needOpenFiles skips the test if this process may not open n files.
func needOpenFiles(t *testing.T, n int) {
	t.Helper()
	if limit, err := maxConnections(); err != nil || limit < n {
		t.Skipf("the test opens %d files; ulimit -n allows %d (%v)", n, limit, err)
	}
}

func TestServer_StopAnswersPollsAndClosesConnections(t *testing.T) {
	inBubble(t, func(t *testing.T, s *bubbleServer) {
		waiting, idle, late, incomplete := s.connect(), s.connect(), s.connect(), s.connect()
		request := requestRecords(1, keepConn, get("subscribed[a]=now"), "")
		waiting.send(t, request)
		idle.send(t, requestRecords(1, keepConn, get("publish=b"), ""))
		idle.wantResponse(t, 1, http.StatusOK, "true")
		late.send(t, request[:40])
		incomplete.send(t, request[:40])
		synctest.Wait()

		begin := time.Now()
		wantAfter := func(what string, want time.Duration) {
			t.Helper()
			if took := time.Since(begin); took != want {
				t.Errorf("%s after %v, want %v", what, took, want)
			}
		}
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
			defer cancel()
			s.stop(ctx)
		}()
		waiting.wantResponse(t, 1, http.StatusOK, `{"s":0`)
		waiting.wantClosed(t)
		idle.wantClosed(t)
		wantAfter("the poll was answered and the idle connection closed", 0)
		time.Sleep(time.Second)
		late.send(t, request[40:])
		late.wantResponse(t, 1, http.StatusOK, `{"s":0`)
		late.wantClosed(t)
		wantAfter("the late poll was answered", time.Second)
		incomplete.wantClosed(t)
		<-stopped
		wantAfter("the server stopped", 4*time.Second)
	})
}

// failingListener fails several times, as with too many open files.
type failingListener struct {
	net.Listener
	errors      int
	connections chan net.Conn
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.errors > 0 {
		l.errors--
		return nil, errors.New("too many open files")
	}
	if conn, ok := <-l.connections; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func TestServer_RepeatsAFailedAcceptAfterLongerPausesUpToASecond(t *testing.T) {
	inBubble(t, func(t *testing.T, s *bubbleServer) {
		l := &failingListener{errors: 12, connections: make(chan net.Conn)}
		s.working.Go(func() { s.serve(l) })
		ours, theirs := net.Pipe()
		begin := time.Now()
		l.connections <- theirs
		const pauses = (5 + 10 + 20 + 40 + 80 + 160 + 320 + 640 + 4*1000) * time.Millisecond
		if took := time.Since(begin); took != pauses {
			t.Errorf("a connection was accepted after %v, want %v", took, pauses)
		}
		w := newWebServer(ours)
		w.send(t, requestRecords(1, 0, get("publish=a"), ""))
		w.wantResponse(t, 1, http.StatusOK, "true")
		close(l.connections)
		s.end()
		wantLine(t, s.log.String(), "too many open files")
	})
}

// By itself, comet-fcgi accepts no more connections than it may open files. So the test lowers the limit
// while it runs.
func TestServer_GoesOnAfterTooManyOpenFiles(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	p, path := startServer(t, directory, "COMET_REQUEST_TIMEOUT=10m", "COMET_TRIES=400", "COMET_SLEEP=100ms")
	waiting := connect(t, path)
	waiting.send(t, requestRecords(1, keepConn, get("subscribed[a]=0.0"), ""))
	wantPublished(t, path, "b")
	limit := &unix.Rlimit{Cur: fewFiles, Max: 1024}
	if err := unix.Prlimit(p.Process.Pid, unix.RLIMIT_NOFILE, limit, nil); err != nil {
		t.Fatal(err)
	}
	idle := connectMany(t, path, 2*fewFiles)
	const failure = "accept failed"
	p.waitUntilLogged(failure)
	touch(t, filepath.Join(directory, "a.comet"))
	late := connect(t, path)
	late.send(t, requestRecords(1, 0, get("subscribed[a]=0.0"), ""))
	idle.close()
	late.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	waiting.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	wantPublished(t, path, "c")
	p.terminate()
	if n := strings.Count(p.stderr.String(), failure); n > 2 { // once, and the number of further failures at the end
		t.Errorf("%q was logged %d times, want 2 at most: %s", failure, n, p.stderr)
	}
}
