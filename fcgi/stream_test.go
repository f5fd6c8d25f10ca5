package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
	"novcomet/core/event"
	"novcomet/fcgi/fastcgi"
)

// streamed are the variables of a browser's EventSource.
func streamed(query string) map[string]string {
	variables := asked(query)
	variables["HTTP_ACCEPT"] = "text/event-stream"
	return variables
}

// part returns what the next record of a stream brings.
func (w *webServer) part(t *testing.T, id uint16) string {
	t.Helper()
	kind, of, content, err := w.receive()
	if err != nil || kind != 6 || of != id || len(content) == 0 {
		t.Fatalf("a record of type %d about %d: %q, %v; want output", kind, of, content, err)
	}
	return string(content)
}

// begun reads a stream's first bytes, and what the first look finds.
func (w *webServer) begun(t *testing.T, id uint16) {
	t.Helper()
	var all string
	for !strings.Contains(all, "\nid: ") { // in as many records as net/http/fcgi likes
		all += w.part(t, id)
	}
	head, first, _ := strings.Cut(all, "\r\n\r\n")
	for _, line := range []string{"Status: 200", "Content-Type: text/event-stream\r\n", "X-Accel-Buffering: no\r\n"} {
		if !strings.Contains(head+"\r\n", line) {
			t.Errorf("the header %q has no %q", head, line)
		}
	}
	if !strings.HasPrefix(first, "retry: ") {
		t.Errorf("it begins with %q", first)
	}
}

// over reads the records that end a request.
func (w *webServer) over(t *testing.T, id uint16) {
	t.Helper()
	for _, want := range []byte{6, 3} {
		kind, of, content, err := w.receive()
		if err != nil || kind != want || of != id || kind == 6 && len(content) > 0 {
			t.Fatalf("a record of type %d about %d: %q, %v; want type %d", kind, of, content, err, want)
		}
	}
}

func TestAStreamIsParkedAndItsConnectionGoesOnAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		s := within(t, store, io.Discard)
		w := s.accepted(t)
		w.send(t, sentRequest(1, keep, streamed("subscribed[a]=now"), ""))
		w.begun(t, 1)
		synctest.Wait()
		if n := s.responders.busy(); n != 0 {
			t.Errorf("%d answers are being written while the stream waits", n)
		}
		for range 3 {
			time.Sleep(1500 * time.Millisecond) // for the rounds to see it
			if _, err := store.Publish(t.Context(), eventID(t, "a"), nil); err != nil {
				t.Fatal(err)
			}
			if got := w.part(t, 1); !strings.HasPrefix(got, "event: a\ndata: {\"s\":1,\"k\":{\"a\":") || !strings.HasSuffix(got, "\n\n") {
				t.Errorf("came %q", got)
			}
		}
		begin := time.Now()
		if got := w.part(t, 1); got != ":\n\n" || time.Since(begin) != 20*time.Second {
			t.Errorf("came %q after %v, want a comment after 20s", got, time.Since(begin))
		}
		s.endpoint.Drain()
		if got := w.part(t, 1); got != ":\n\n" || time.Since(begin) != 20*time.Second {
			t.Errorf("came %q after %v, want the end", got, time.Since(begin))
		}
		w.over(t, 1)
		w.send(t, sentRequest(2, 0, asked("publish=a"), ""))
		w.wantResponse(t, 2, http.StatusOK, "true")
		w.wantEnd(t)
		s.end()
	})
}

func TestAStreamLeavesWhenItsConnectionIsClosedOrItIsAborted(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *webServer){
		"closed": func(t *testing.T, w *webServer) { w.Close() },
		"aborted": func(t *testing.T, w *webServer) {
			w.send(t, sentRecord(2, 1, nil, 0))
			if kind, _, _, err := w.receive(); err != nil || kind != 3 {
				t.Errorf("a record of type %d, %v; want the end", kind, err)
			}
			w.Close()
		},
		"garbage": func(t *testing.T, w *webServer) { w.send(t, []byte("GET / HTTP/1.1\r\n\r\n")); w.wantEnd(t) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := within(t, &memory{}, io.Discard)
				w := s.accepted(t)
				w.send(t, sentRequest(1, keep, streamed("subscribed[a]=now"), ""))
				w.begun(t, 1)
				time.Sleep(time.Second)
				begin := time.Now()
				end(t, w)
				s.end()
				if n := s.waiting(); n != 0 || time.Since(begin) != 0 {
					t.Errorf("%d wait after %v", n, time.Since(begin))
				}
			})
		})
	}
}

func TestAReaderThatTakesNothingIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		s := within(t, store, io.Discard)
		w := s.accepted(t)
		w.send(t, sentRequest(1, keep, streamed("subscribed[a]=now"), ""))
		w.begun(t, 1)
		begin := time.Now()
		if _, err := store.Publish(t.Context(), eventID(t, "a"), nil); err != nil {
			t.Fatal(err)
		}
		s.end()
		if took := time.Since(begin); took < core.StreamWriteTimeout || took > core.StreamWriteTimeout+time.Second {
			t.Errorf("it was dropped after %v, want %v and a look", took, core.StreamWriteTimeout)
		}
		if _, err := w.Write([]byte{1}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the connection goes on: %v", err)
		}
	})
}

// What an event carries can take several records.
func TestABigPartIsSentWhole(t *testing.T) {
	for _, n := range []int{0, 1, 65535, 65536, 200_000} {
		content := bytes.Repeat([]byte("x"), n)
		w := answering(&wire{in: bytes.NewReader(fastcgi.AppendStdout(nil, 5, content))})
		var got []byte
		for {
			kind, id, part, err := w.receive()
			if err != nil {
				break
			}
			if kind != 6 || id != 5 || len(part) == 0 { // an empty one would end the output
				t.Errorf("of %d bytes: a record of type %d about %d with %d bytes", n, kind, id, len(part))
			}
			got = append(got, part...)
		}
		if !bytes.Equal(got, content) {
			t.Errorf("of %d bytes %d came", n, len(got))
		}
	}
}

func eventID(t *testing.T, name string) event.ID {
	t.Helper()
	id, err := event.ParseID(name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
