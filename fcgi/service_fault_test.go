package main

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"novcomet/core/event"
	"novcomet/core/servertest"
	"novcomet/core/store"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// faultyStore calls a function before each publication.
type faultyStore struct {
	store.Store
	publish func()
}

func (f faultyStore) Publish(ctx context.Context, id event.ID, data []byte) (event.Stamp, error) {
	f.publish()
	return f.Store.Publish(ctx, id, data)
}

// startWithFaultyStore starts a server in the process of the test. publish is called before each publication.
func startWithFaultyStore(t *testing.T, publish func()) (s *server, path string, log *servertest.Output) {
	t.Helper()
	settings := readSettings(t, "COMET_FILE_DIRECTORY="+t.TempDir(), "COMET_MAX_SERVING=8")
	opened, err := openStore(settings.Config)
	if err != nil {
		t.Fatal(err)
	}
	log = &servertest.Output{}
	s, path = serveStore(t, faultyStore{opened, publish}, slog.New(slog.NewTextHandler(log, nil)), settings)
	return s, path, log
}

func TestService_RecoversFromAPanic(t *testing.T) {
	t.Parallel()
	_, path, log := startWithFaultyStore(t, func() { panic("a fault in the store") })
	w := connect(t, path)
	w.Send(t, Request(1, Keep, Get("publish=a"), ""))
	w.WantResponse(t, 1, http.StatusInternalServerError, `{"error":"internal error`)
	w.Send(t, Request(1, 0, Get("subscribed[a]=now&wait=0"), ""))
	w.WantResponse(t, 1, http.StatusOK, `{"s":0`)
	wantLine(t, log.String(), "level=ERROR", "a fault in the store", "service_fault_test.go")
}

func TestService_ServesOthersWhilePublicationsWaitForTheStore(t *testing.T) {
	t.Parallel()
	publishing, unblock := make(chan struct{}, 20), make(chan struct{})
	s, path, _ := startWithFaultyStore(t, func() {
		publishing <- struct{}{}
		<-unblock
	})
	publishers := connectMany(t, path, cap(publishing))
	for _, w := range publishers.all {
		w.Send(t, Request(1, 0, Get("publish=a"), ""))
	}
	wantServed := func() {
		t.Helper()
		wantAnswer(t, ask(t, path, Get("subscribed[a]=now&wait=0"), ""), http.StatusOK, `{"s":0,"at":{"a":"0.000000"}}`)
		wantText(t, ask(t, path, getStatus("*/*"), "").Body, `"max_serving":8,`)
	}
	wantServed()
	servertest.WaitFor(t, "half of the requests in progress publish", func() bool { return len(publishing) == 4 })
	wantServed()
	if n := len(publishing); n != 4 || s.reactor.Serving() > 8 {
		t.Errorf("%d publications are in progress, want 4 of 8 requests", n)
	}
	close(unblock)
	for _, w := range publishers.all {
		w.WantResponse(t, 1, http.StatusOK, "true")
	}
}
