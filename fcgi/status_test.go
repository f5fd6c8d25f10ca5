package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"novcomet/core/servertest"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// getStatus returns the variables of a request to a status location.
func getStatus(accept string) map[string]string {
	return With(Get("publish=nothing"), "COMET_STATUS", "on", "HTTP_ACCEPT", accept)
}

// wantWaiting waits until n polls and streams wait in the process that listens on the path.
func wantWaiting(t *testing.T, path string, n int) {
	t.Helper()
	servertest.WaitFor(t, fmt.Sprintf("%d polls wait", n), func() bool {
		return strings.Contains(ask(t, path, getStatus("*/*"), "").Body, fmt.Sprintf(`"waiting":%d,`, n))
	})
}

func TestStatus_ShowsTheFiguresOfTheProcess(t *testing.T) {
	t.Parallel()
	_, path := startServer(t, t.TempDir(), longPoll)
	poll := connect(t, path)
	poll.Send(t, Request(1, 0, Get("subscribed[a]=now&subscribed[b]=now"), ""))
	wantPublished(t, path, "c")
	servertest.WaitFor(t, "the status shows the waiting poll", func() bool {
		var s struct {
			Program            string
			Waiting, Events    int
			Parked             int64
			Connections        int
			MaxConnections     int `json:"max_connections"`
			Publications       int
			Memory             int `json:"memory_bytes"`
			Checks             struct{ Count int }
			Version, Go, Began string
		}
		body := ask(t, path, getStatus("*/*"), "").Body
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		if s.Program != "comet-fcgi" || s.MaxConnections == 0 || s.Memory < 1<<20 || s.Publications != 1 ||
			s.Version == "" || s.Go == "" || s.Began == "" {
			t.Fatalf("%+v", s)
		}
		return s.Waiting == 1 && s.Events == 2 && s.Parked == 1 && s.Connections >= 2 && s.Checks.Count > 0
	})
}

// Request headers arrive as variables that begin with HTTP_.
func TestStatus_IsNotShownBecauseOfARequestHeader(t *testing.T) {
	t.Parallel()
	_, path := startServer(t, t.TempDir())
	for _, variable := range []string{"HTTP_COMET_STATUS", "comet_status", "REDIRECT_COMET_STATUS"} {
		wantAnswer(t, ask(t, path, With(Get("publish=a"), variable, "on"), ""), http.StatusOK, "true")
	}
}
