package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/conf"
	"novcomet/core"
	"novcomet/core/event"
	"novcomet/core/store"
)

// memory is a store with the clock of a bubble.
type memory struct {
	core.CheckFunc
	mu      sync.Mutex
	stamps  map[event.ID]event.Stamp
	publish func() // what else a publication does
}

func (m *memory) Check(_ context.Context, ids []event.ID) (store.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	snapshot := store.Snapshot{Now: event.StampOf(time.Now())}
	for _, id := range ids {
		snapshot.Stamps = append(snapshot.Stamps, m.stamps[id])
	}
	return snapshot, nil
}

func (m *memory) Publish(_ context.Context, id event.ID, _ []byte) (event.Stamp, error) {
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

// within is a server in a bubble: polls wait for 10 × 1 s, a request may take 5 s to come in.
func within(t *testing.T, s store.Store, log io.Writer) *server {
	t.Helper()
	environ := []string{"COMET_TRIES=10", "COMET_SLEEP=1", "COMET_REQUEST_TIMEOUT=5", "COMET_MAX_SERVING=8"}
	settings, err := conf.Read(conf.Source{File: os.DevNull, Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(newDedupHandler(slog.NewTextHandler(log, nil)))
	return newServer(s, settings, 100, logger)
}

// end waits until every connection has ended, and ends the server.
func (s *server) end() {
	s.working.Wait()
	s.responders.close()
	s.endpoint.Close()
}

// accepted is a web server's end of a connection that the server has just accepted.
func (s *server) accepted(t *testing.T) *webServer {
	t.Helper()
	ours, theirs := net.Pipe()
	s.places <- struct{}{}
	s.enter(newConnection(theirs, s.inForce.Load().limits.time))
	t.Cleanup(func() { ours.Close() })
	return answering(ours)
}

func TestAPollWaitsAsLongAsItsLocationSays(t *testing.T) {
	for _, test := range []struct {
		name      string
		variables map[string]string
		wait      time.Duration
	}{
		{"the configuration", nil, 10 * time.Second},
		{"the location's tries", map[string]string{"COMET_TRIES": "3"}, 3 * time.Second},
		{"the location's tries and sleep", map[string]string{"COMET_TRIES": "4", "COMET_SLEEP": "250ms"}, time.Second},
		{"an empty one is not set", map[string]string{"COMET_TRIES": ""}, 10 * time.Second},
		{"a client's header", map[string]string{"HTTP_COMET_TRIES": "1", "HTTP_COMET_SLEEP": "10ms"}, 10 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := within(t, &memory{}, io.Discard)
				w := s.accepted(t)
				variables := asked("subscribed[a]=now")
				for name, value := range test.variables {
					variables[name] = value
				}
				begin := time.Now()
				w.send(t, sentRequest(1, 0, variables, ""))
				w.wantResponse(t, 1, http.StatusOK, `{"s":0,"at":{"a":"0.000000"}}`)
				if took := time.Since(begin); took != test.wait {
					t.Errorf("it waited for %v, want %v", took, test.wait)
				}
				s.end()
			})
		})
	}
}

// No request may get past a policy that could not be read.
func TestALocationThatIsNotConfiguredRightRefusesEverything(t *testing.T) {
	for _, test := range []struct{ name, value string }{
		{"COMET_TRYS", "5"},
		{"COMET_TRIES", "many"},
		{"COMET_SLEEP", "0"},
		{"COMET_FILE_DIRECTORY", "/tmp"},
		{"COMET_LISTEN", "127.0.0.1:9000"},
		{"COMET_CONFIG", "/etc/passwd"},
	} {
		for _, query := range []string{"publish=a", "subscribed[a]=now", ""} {
			synctest.Test(t, func(t *testing.T) {
				store := &memory{publish: func() { t.Error("it was published") }}
				var log bytes.Buffer
				s := within(t, store, &log)
				w := s.accepted(t)
				variables := asked(query)
				variables[test.name] = test.value
				begin := time.Now()
				w.send(t, sentRequest(1, 0, variables, ""))
				w.wantResponse(t, 1, http.StatusInternalServerError, `{"error":"`)
				s.end()
				if took := time.Since(begin); took != 0 {
					t.Errorf("%s: it waited for %v", test.name, took)
				}
				wantText(t, log.String(), "level=ERROR", test.name, "/comet.php")
				if n := strings.Count(log.String(), "\n"); n != 1 {
					t.Errorf("%d lines, want one: %s", n, &log)
				}
			})
		}
	}
}

// nginx closes the connection when the browser leaves, and says nothing.
func TestAPollLeavesWhenTheConnectionIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := within(t, &memory{}, io.Discard)
		w := s.accepted(t)
		w.send(t, sentRequest(1, 0, asked("subscribed[a]=now"), ""))
		time.Sleep(7500 * time.Millisecond) // longer than a request may take to come in
		w.Close()
		begin := time.Now()
		s.end()
		if took := time.Since(begin); took != 0 {
			t.Errorf("it took %v", took)
		}
		// The bubble ends only when the loop has no poll left, and it ends here:
		synctest.Wait()
		if took := time.Since(begin); took != 0 {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAPollLeavesWhenItIsAbortedAndTheConnectionGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := within(t, &memory{}, io.Discard)
		w := s.accepted(t)
		w.send(t, sentRequest(1, keep, asked("subscribed[a]=now"), ""))
		time.Sleep(7500 * time.Millisecond) // longer than a request may take to come in
		begin := time.Now()
		w.send(t, sentRecord(2, 9, nil, 0)) // of another request: to be ignored
		synctest.Wait()
		w.send(t, sentRecord(2, 1, nil, 0))
		if r, err := w.response(1); err != nil || r.ended != 0 {
			t.Errorf("ended %d, %v", r.ended, err)
		}
		w.send(t, sentRequest(2, 0, asked("publish=a"), ""))
		w.wantResponse(t, 2, http.StatusOK, "true")
		s.end()
		if took := time.Since(begin); took != 0 {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAPanicEndsOneRequestOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		store := &memory{publish: func() { panic("a store's mistake") }}
		s := within(t, store, &log)
		w := s.accepted(t)
		w.send(t, sentRequest(1, keep, asked("publish=a"), ""))
		w.wantResponse(t, 1, http.StatusInternalServerError, `{"error":"internal error`)
		w.send(t, sentRequest(1, 0, asked("subscribed[a]=now&wait=0"), ""))
		w.wantResponse(t, 1, http.StatusOK, `{"s":0`)
		s.end()
		wantText(t, log.String(), "a store's mistake", "serve_test.go")
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("%d lines, want one: %s", n, &log)
		}
	})
}

func TestARequestHasItsTimeToComeIn(t *testing.T) {
	request := sentRequest(1, keep, asked("subscribed[a]=now&wait=0"), "")
	for _, sent := range []int{0, 1, 7, 8, 16, 100, len(request) - 1} {
		synctest.Test(t, func(t *testing.T) {
			s := within(t, &memory{}, io.Discard)
			w := s.accepted(t)
			begin := time.Now()
			w.send(t, request[:sent])
			w.wantEnd(t)
			if took := time.Since(begin); took != 5*time.Second {
				t.Errorf("after %d bytes it was closed in %v, want 5s", sent, took)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s := within(t, &memory{}, io.Discard)
		w := s.accepted(t)
		for range 3 {
			w.send(t, request)
			w.wantResponse(t, 1, http.StatusOK, `{"s":0`)
			time.Sleep(time.Hour) // a kept connection may rest
		}
		begin := time.Now()
		w.send(t, request[:1]) // but not in the middle of a request
		w.wantEnd(t)
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("it was closed in %v, want 5s", took)
		}
		s.end()
	})
}

// Half a record must not be followed by anything.
func TestAWebServerThatDoesNotReadLosesItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := within(t, &memory{}, io.Discard)
		w := s.accepted(t)
		w.send(t, sentRequest(1, keep, asked("publish=a"), ""))
		begin := time.Now()
		s.end()
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("it was closed in %v, want 5s", took)
		}
		if _, err := w.Write([]byte{1}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the connection goes on: %v", err)
		}
	})
}

func TestStopAnswersWhoeverWaitsAndCutsOffWhoeverDoesNotFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := within(t, &memory{}, io.Discard)
		waiting, resting, late, half := s.accepted(t), s.accepted(t), s.accepted(t), s.accepted(t)
		request := sentRequest(1, keep, asked("subscribed[a]=now"), "")
		waiting.send(t, request)
		resting.send(t, sentRequest(1, keep, asked("publish=b"), ""))
		resting.wantResponse(t, 1, http.StatusOK, "true")
		late.send(t, request[:40])
		half.send(t, request[:40])
		synctest.Wait()

		begin := time.Now()
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
			defer cancel()
			s.stop(ctx)
		}()
		waiting.wantResponse(t, 1, http.StatusOK, `{"s":0`)
		waiting.wantEnd(t)
		resting.wantEnd(t)
		if took := time.Since(begin); took != 0 {
			t.Errorf("whoever can be answered at once waited for %v", took)
		}
		time.Sleep(time.Second)
		late.send(t, request[40:])
		late.wantResponse(t, 1, http.StatusOK, `{"s":0`)
		late.wantEnd(t)
		if took := time.Since(begin); took != time.Second {
			t.Errorf("who came late waited until %v", took)
		}
		half.wantEnd(t)
		<-stopped
		if took := time.Since(begin); took != 4*time.Second {
			t.Errorf("it stopped after %v, want 4s", took)
		}
	})
}

// failing is a listener that fails for a while, as with too many open files.
type failing struct {
	net.Listener
	errors int
	conns  chan net.Conn
}

func (f *failing) Accept() (net.Conn, error) {
	if f.errors > 0 {
		f.errors--
		return nil, errors.New("too many open files")
	}
	if conn, ok := <-f.conns; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func TestAcceptIsTriedAgainAfterLongerAndLongerPausesUpToASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := within(t, &memory{}, &log)
		l := &failing{errors: 12, conns: make(chan net.Conn)}
		s.working.Go(func() { s.serve(l) })
		ours, theirs := net.Pipe()
		begin := time.Now()
		l.conns <- theirs
		const pauses = (5 + 10 + 20 + 40 + 80 + 160 + 320 + 640 + 4*1000) * time.Millisecond
		if took := time.Since(begin); took != pauses {
			t.Errorf("it was back after %v, want %v", took, pauses)
		}
		w := answering(ours)
		w.send(t, sentRequest(1, 0, asked("publish=a"), ""))
		w.wantResponse(t, 1, http.StatusOK, "true")
		close(l.conns)
		s.end()
		if n := strings.Count(log.String(), "too many open files"); n != 1 {
			t.Errorf("it was logged %d times, want once: %s", n, &log)
		}
	})
}
