package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// slowReader is a web server that asks for so much that the answer does not fit into the buffers of a socket, and does not
// read it.
func slowReader(t *testing.T, path string) *webServer {
	t.Helper()
	var form strings.Builder
	form.WriteString("wait=0")
	for i := range 1000 {
		fmt.Fprintf(&form, "&subscribed[%s%d]=now", strings.Repeat(`"`, 190), i) // twice as long in JSON: 400 KB
	}
	w := connect(t, path)
	w.send(t, sentRequest(1, keep, posted(form.Len()), form.String()))
	return w
}

func TestSlowReadersAreClosedInTimeAndKeepNoResponderFromTheRest(t *testing.T) {
	t.Parallel()
	const slow, timeout = 6, 2 * time.Second
	s, path := inside(t, t.TempDir(), "COMET_MAX_SERVING=2", "COMET_MAX_REQUEST=1000000", "COMET_REQUEST_TIMEOUT="+timeout.String())
	for range slow {
		slowReader(t, path)
	}
	eventually(t, "two are being written, and all are there", func() bool { return s.connections() == slow && len(s.responders.sending) == 2 })
	wantAnswer(t, ask(t, path, asked("publish=b"), ""), http.StatusOK, "true")
	eventually(t, "they are closed", func() bool { return s.connections() == 0 && s.responders.busy() == 0 })
}

// Answers to polls are written elsewhere than the loop: whoever does not read does not delay those who wait for the same event.
func TestAPublicationReachesOthersPastSlowReaders(t *testing.T) {
	t.Parallel()
	_, path := inside(t, t.TempDir(), "COMET_MAX_SERVING=4", "COMET_MAX_REQUEST=1000000")
	for range 3 {
		slowReader(t, path)
	}
	var waiting []*webServer
	for range 50 {
		w := connect(t, path)
		w.send(t, sentRequest(1, 0, asked("subscribed[news]=0.0"), ""))
		waiting = append(waiting, w)
	}
	wantAnswer(t, ask(t, path, asked("publish=news"), ""), http.StatusOK, "true")
	for _, w := range waiting {
		w.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"news":`)
	}
}
