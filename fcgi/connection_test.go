package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

// A web server that has received the end of one request may send the next one at once.
func TestConnection_ServesOneRequestAfterAnother(t *testing.T) {
	t.Parallel()
	_, path := startServer(t, t.TempDir())
	w := connect(t, path)
	for i := range 2000 {
		id := uint16(1 + i%3)
		w.send(t, requestRecords(id, keepConn, get("publish=kept"), ""))
		w.wantResponse(t, id, http.StatusOK, "true")
	}
	w.send(t, requestRecords(1, 0, get("publish=kept"), ""))
	w.wantResponse(t, 1, http.StatusOK, "true")
	w.wantClosed(t)
}

func TestConnection_AnswersGetValuesAtAnyTime(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	_, path := startServer(t, directory, longPoll)
	getValues := record(9, 0, append(pair("FCGI_MPXS_CONNS", ""), pair("FCGI_NONSENSE", "")...), 0)
	w := connect(t, path)
	wantValues := func() {
		t.Helper()
		w.wantRecord(t, 10, 0, pair("FCGI_MPXS_CONNS", "0"))
	}
	request := requestRecords(1, keepConn, get("subscribed[a]=0.0"), "")
	w.send(t, getValues)
	wantValues()
	w.send(t, request[:16], getValues)
	wantValues()
	w.send(t, request[16:], getValues)
	wantValues() // while the poll waits
	touch(t, filepath.Join(directory, "a.comet"))
	w.wantResponse(t, 1, http.StatusOK, `{"s":1`)
	w.send(t, getValues)
	wantValues() // between two requests
	w.send(t, requestRecords(1, keepConn, get("publish=a"), ""))
	w.wantResponse(t, 1, http.StatusOK, "true")
}

func TestConnection_RefusesUnknownRecordsAndRolesAndGoesOn(t *testing.T) {
	t.Parallel()
	_, path := startServer(t, t.TempDir())
	w := connect(t, path)
	w.send(t, record(77, 0, []byte("?"), 7))
	w.wantRecord(t, 11, 0, []byte{77, 0, 0, 0, 0, 0, 0, 0}) // FCGI_UNKNOWN_TYPE
	for _, role := range []byte{0, 2, 3, 9} {               // 2: authorizer, 3: filter
		w.send(t, beginRecord(5, role, keepConn), streamRecords(4, 5, pairs(get("publish=role")), 0),
			streamRecords(5, 5, nil, 0))
		w.wantRefusal(t, 5, 3) // FCGI_UNKNOWN_ROLE
	}
	w.send(t, record(5, 8, []byte("of no request"), 0), record(2, 8, nil, 0), record(8, 8, nil, 0))
	w.send(t, requestRecords(6, keepConn, get("publish=after"), ""))
	w.wantResponse(t, 6, http.StatusOK, "true")
}

func TestConnection_RefusesASecondRequestBeforeTheFirstIsAnswered(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	_, path := startServer(t, directory, longPoll)
	first := requestRecords(1, keepConn, get("subscribed[a]=0.0"), "")
	second := requestRecords(2, keepConn, get("publish=second"), "")
	const cannotMultiplex = 1
	w := connect(t, path)
	w.send(t, first[:16], second)
	w.wantRefusal(t, 2, cannotMultiplex) // while the first one is incomplete
	w.send(t, first[16:], second)
	w.wantRefusal(t, 2, cannotMultiplex) // while the first one waits
	touch(t, filepath.Join(directory, "a.comet"))
	w.wantResponse(t, 1, http.StatusOK, `{"s":1`)
	w.send(t, second)
	w.wantResponse(t, 2, http.StatusOK, "true")
}

// Only HTTP gets a message, and only once, because anybody who can connect can repeat it.
func TestConnection_IsClosedIfItDoesNotSpeakFastCGI(t *testing.T) {
	t.Parallel()
	p, path := startServer(t, t.TempDir(), "COMET_LOG=warn")
	for _, test := range []struct {
		name string
		sent []byte
	}{
		{"HTTP", []byte("GET /comet.php?publish=a HTTP/1.1\r\nHost: a\r\n\r\n")},
		{"HTTP again", []byte("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")},
		{"HTTP/2", []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
		{"TLS", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")},
		{"another version", append([]byte{2}, beginRecord(1, 1, 0)[1:]...)},
		{"a short begin", record(1, 1, []byte{0, 1, 0}, 0)},
		{"two begins of a request", append(beginRecord(1, 1, 0), beginRecord(1, 1, 0)...)},
		{"a body before the variables", append(beginRecord(1, 1, 0), record(5, 1, nil, 0)...)},
		{"variables after their end",
			slices.Concat(beginRecord(1, 1, 0), streamRecords(4, 1, pairs(get("")), 0), record(4, 1, nil, 0))},
		{"an abort of an incomplete request", append(beginRecord(1, 1, 0), record(2, 1, nil, 0)...)},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := connect(t, path)
			w.send(t, test.sent)
			w.wantClosed(t)
		})
	}
	wantPublished(t, path, "after")
	p.wantMessage("level=WARN", "speaks HTTP", "fastcgi_pass instead of proxy_pass")
}

func TestConnection_ForgetsAPollOrStreamThatTheWebServerGivesUp(t *testing.T) {
	for name, giveUp := range map[string]func(*testing.T, *webServer){
		"closed": func(_ *testing.T, w *webServer) { w.Close() }, // as nginx does when the browser leaves
		"aborted": func(t *testing.T, w *webServer) {
			w.send(t, record(2, 9, nil, 0)) // of another request
			synctest.Wait()
			w.send(t, record(2, 1, nil, 0))
			w.wantRefusal(t, 1, 0)
			w.send(t, requestRecords(2, 0, get("publish=a"), ""))
			w.wantResponse(t, 2, http.StatusOK, "true")
		},
		"garbage": func(t *testing.T, w *webServer) {
			w.send(t, []byte("GET / HTTP/1.1\r\n\r\n"))
			w.wantClosed(t)
		},
	} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, stream: %v", name, stream), func(t *testing.T) {
				inBubble(t, func(t *testing.T, s *bubbleServer) {
					w := s.connect()
					if stream {
						w.send(t, requestRecords(1, keepConn, getStream("subscribed[a]=now"), ""))
						w.wantStream(t, 1)
					} else {
						w.send(t, requestRecords(1, keepConn, get("subscribed[a]=now"), ""))
					}
					time.Sleep(7500 * time.Millisecond) // longer than request_timeout
					begin := time.Now()
					giveUp(t, w)
					s.end()
					synctest.Wait()
					if took, n := time.Since(begin), s.waiting(); took != 0 || n != 0 {
						t.Errorf("after %v, %d polls wait", took, n)
					}
				})
			})
		}
	}
}

func TestConnection_IsClosedIfARequestIsNotCompleteInTime(t *testing.T) {
	request := requestRecords(1, keepConn, get("subscribed[a]=now&wait=0"), "")
	wantClosedIn5s := func(t *testing.T, w *webServer, sent []byte) {
		t.Helper()
		begin := time.Now()
		w.send(t, sent)
		w.wantClosed(t)
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("after %d bytes, the connection was closed in %v, want 5s", len(sent), took)
		}
	}
	for _, length := range []int{0, 1, 7, 8, 16, 100, len(request) - 1} {
		inBubble(t, func(t *testing.T, s *bubbleServer) { wantClosedIn5s(t, s.connect(), request[:length]) })
	}
	inBubble(t, func(t *testing.T, s *bubbleServer) {
		w := s.connect()
		for range 3 {
			w.send(t, request)
			w.wantResponse(t, 1, http.StatusOK, `{"s":0`)
			time.Sleep(time.Hour) // Between two requests there is no limit.
		}
		wantClosedIn5s(t, w, request[:1])
		s.end()
	})
}

// After a part of a record, nothing can follow.
func TestConnection_IsClosedIfTheWebServerDoesNotRead(t *testing.T) {
	wantClosedIn := func(t *testing.T, s *bubbleServer, w *webServer, least, most time.Duration) {
		t.Helper()
		begin := time.Now()
		s.end()
		if took := time.Since(begin); took < least || took > most {
			t.Errorf("the connection was closed in %v, want %v", took, least)
		}
		if _, err := w.Write([]byte{1}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the connection is open: %v", err)
		}
	}
	inBubble(t, func(t *testing.T, s *bubbleServer) {
		w := s.connect()
		w.send(t, requestRecords(1, keepConn, get("publish=a"), ""))
		wantClosedIn(t, s, w, 5*time.Second, 5*time.Second)
	})
	inBubble(t, func(t *testing.T, s *bubbleServer) {
		w := s.connect()
		w.send(t, requestRecords(1, keepConn, getStream("subscribed[a]=now"), ""))
		w.wantStream(t, 1)
		s.publish("a")
		const check = time.Second // until the publication is seen
		wantClosedIn(t, s, w, core.StreamWriteTimeout, core.StreamWriteTimeout+check)
	})
}

func TestConnection_WritesEverythingToASlowReader(t *testing.T) {
	const size, patience = 1 << 20, 10 * time.Second
	for name, test := range map[string]struct {
		pause     time.Duration // between two reads of 64 KiB
		contended bool
		complete  bool
	}{
		"slow":                       {9 * time.Second, false, true},
		"too slow":                   {11 * time.Second, false, false},
		"slow while others wait":     {900 * time.Millisecond, true, true},
		"too slow while others wait": {1100 * time.Millisecond, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				c := newConnection(theirs, patience)
				go func() {
					c.writeWithin(bytes.Repeat([]byte("x"), size), patience, func() bool { return test.contended })
					c.Close()
				}()
				received, buffer := 0, make([]byte, 64<<10)
				for {
					time.Sleep(test.pause)
					n, err := io.ReadFull(ours, buffer)
					received += n
					if err != nil {
						break
					}
				}
				if complete := received == size; complete != test.complete {
					t.Errorf("%d of %d bytes were received", received, size)
				}
			})
		})
	}
}
