package main

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// getStream returns the variables of a browser's EventSource.
func getStream(query string) map[string]string {
	return with(get(query), "HTTP_ACCEPT", "text/event-stream")
}

// receivePart returns the content of the next record of a stream.
func (w *webServer) receivePart(t *testing.T, id uint16) string {
	t.Helper()
	kind, of, content, err := w.receive()
	if err != nil || kind != 6 || of != id || len(content) == 0 {
		t.Fatalf("record of type %d, id %d: %q, %v; want output", kind, of, content, err)
	}
	return string(content)
}

// wantStream reads the beginning of a stream up to its first cursors.
func (w *webServer) wantStream(t *testing.T, id uint16) {
	t.Helper()
	var all string
	for !strings.Contains(all, "\nid: ") { // net/http/fcgi may use several records.
		all += w.receivePart(t, id)
	}
	header, first, _ := strings.Cut(all, "\r\n\r\n")
	for _, line := range []string{"Status: 200", "Content-Type: text/event-stream\r\n", "X-Accel-Buffering: no\r\n"} {
		if !strings.Contains(header+"\r\n", line) {
			t.Errorf("the header %q has no %q", header, line)
		}
	}
	if !strings.HasPrefix(first, "retry: ") {
		t.Errorf("the stream begins with %q", first)
	}
}

func TestStream_IsParkedAndKeepsItsConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, s *bubbleServer) {
		w := s.connect()
		w.send(t, requestRecords(1, keepConn, getStream("subscribed[a]=now"), ""))
		w.wantStream(t, 1)
		synctest.Wait()
		if n := s.responders.busy(); n != 0 {
			t.Errorf("%d responders are busy while the stream waits", n)
		}
		for range 3 {
			time.Sleep(1500 * time.Millisecond) // until after the next check
			s.publish("a")
			part := w.receivePart(t, 1)
			if !strings.HasPrefix(part, "event: a\ndata: {\"s\":1,\"k\":{\"a\":") || !strings.HasSuffix(part, "\n\n") {
				t.Errorf("received %q", part)
			}
		}
		begin := time.Now()
		wantComment := func() {
			t.Helper()
			if part, took := w.receivePart(t, 1), time.Since(begin); part != ":\n\n" || took != 20*time.Second {
				t.Errorf("received %q after %v, want a comment after 20s", part, took)
			}
		}
		wantComment()
		s.endpoint.Drain()
		wantComment() // at once
		w.wantRecord(t, 6, 1, nil)
		w.wantRefusal(t, 1, 0)
		w.send(t, requestRecords(2, 0, get("publish=a"), ""))
		w.wantResponse(t, 2, http.StatusOK, "true")
		w.wantClosed(t)
		s.end()
	})
}
