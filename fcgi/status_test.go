package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"novcomet/core/event"
	"novcomet/core/servertest"
	"novcomet/core/store"
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

// blockedStore does not publish until unblock is closed.
type blockedStore struct {
	store.Store
	unblock chan struct{}
}

func (b blockedStore) Publish(ctx context.Context, id event.ID, data []byte) (event.Stamp, error) {
	<-b.unblock
	return b.Store.Publish(ctx, id, data)
}

func TestStatus_IsShownWhilePublicationsWaitForTheStore(t *testing.T) {
	t.Parallel()
	settings := readSettings(t, "COMET_FILE_DIRECTORY="+t.TempDir(), "COMET_MAX_SERVING=2")
	opened, err := openStore(settings.Config)
	if err != nil {
		t.Fatal(err)
	}
	blocked := blockedStore{opened, make(chan struct{})}
	defer close(blocked.unblock)
	_, path := serveStore(t, blocked, slog.New(slog.DiscardHandler), settings)
	for _, w := range connectMany(t, path, 3).all {
		w.Send(t, Request(1, 0, Get("publish=a"), ""))
	}
	servertest.WaitFor(t, "a publication and the status are served", func() bool {
		return strings.Contains(ask(t, path, getStatus("*/*"), "").Body, `"serving":2,"max_serving":2,`)
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
