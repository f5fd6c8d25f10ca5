package main

import (
	"net/http"
	"strings"
	"testing"

	"novcomet/core/servertest"
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
	header, first, _ := strings.Cut(w.receivePart(t, id), "\r\n\r\n")
	for _, line := range []string{"Status: 200", "Content-Type: text/event-stream\r\n", "X-Accel-Buffering: no\r\n"} {
		if !strings.Contains(header+"\r\n", line) {
			t.Errorf("the header %q has no %q", header, line)
		}
	}
	if !strings.HasPrefix(first, "retry: ") {
		t.Errorf("the stream begins with %q", first)
	}
	if cursors := w.receivePart(t, id); !strings.HasPrefix(cursors, "id: ") {
		t.Errorf("after its beginning, the stream has %q", cursors)
	}
}

func TestService_SendsAStreamAndKeepsItsConnection(t *testing.T) {
	t.Parallel()
	s, path := startInProcess(t, t.TempDir())
	w := connect(t, path)
	w.send(t, requestRecords(1, keepConn, getStream("subscribed[a]=now"), ""))
	w.wantStream(t, 1)
	for range 3 {
		wantPublished(t, path, "a")
		part := w.receivePart(t, 1)
		if !strings.HasPrefix(part, "event: a\ndata: {\"s\":1,\"k\":{\"a\":") || !strings.HasSuffix(part, "\n\n") {
			t.Errorf("received %q", part)
		}
	}
	servertest.WaitFor(t, "only the stream is left, which the loop holds", func() bool {
		return s.reactor.Serving() == 0 && s.reactor.Connections() == 1
	})
	s.endpoint.Drain()
	if part := w.receivePart(t, 1); part != ":\n\n" {
		t.Errorf("at its end, the stream has %q", part)
	}
	w.wantRecord(t, 6, 1, nil)
	w.wantRefusal(t, 1, 0)
	w.send(t, requestRecords(2, 0, get("publish=a"), ""))
	w.wantResponse(t, 2, http.StatusOK, "true")
	w.wantClosed(t)
}
