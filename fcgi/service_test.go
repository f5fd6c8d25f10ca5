package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"novcomet/core/event"
	"novcomet/core/servertest"
	"novcomet/core/store"
	"novcomet/fcgi/fastcgi"
	"novcomet/fcgi/reactor"
)

func TestService_AnswersPublicationsAndPolls(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	_, path := startServer(t, directory)
	wantPublished(t, path, "news")
	if !exists(filepath.Join(directory, "news.comet")) {
		t.Error("news.comet is missing")
	}
	r := ask(t, path, get("subscribed[news]=1.0&subscribed[other]=now"), "")
	wantText(t, r.body, `{"s":1,"k":{"news":`, `"at":{"news":"`, `,"other":"0.000000"}`)
	wantAnswer(t, ask(t, path, get("subscribed[other]=now&wait=0"), ""), http.StatusOK,
		`{"s":0,"at":{"other":"0.000000"}}`)
	if got := r.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control: %q", got)
	}
	variables := get("subscribed[a]=now&wait=0")
	for _, name := range []string{
		"HTTP_HOST", "REQUEST_URI", "SERVER_PROTOCOL", "GATEWAY_INTERFACE", "HTTPS", "REMOTE_PORT", "COMET_TRIES",
	} {
		variables[name] = "" // as if it were missing
	}
	wantAnswer(t, ask(t, path, variables, ""), http.StatusOK, `{"s":0,"at":{"a":"0.000000"}}`)
}

// The reactor answers polls, and net/http/fcgi writes what is refused.
func TestService_AddsTheHeadersOfListedSitesToWaitingAndRefusedRequests(t *testing.T) {
	t.Parallel()
	_, path := startServer(t, t.TempDir(), "COMET_MAX_REQUEST=4096")
	const site = "https://a.example"
	form := "publish=a&" + strings.Repeat("x", 8000)
	for _, test := range []struct {
		name, origins, allowed string
		variables              map[string]string
		body                   string
		status                 int
	}{
		{"a waiting poll", site, site, get("subscribed[never]=now"), "", http.StatusOK},
		{"a form that is too large", site, site, post(len(form)), form, http.StatusRequestEntityTooLarge},
		{"another site", "https://b.example", "", post(len(form)), form, http.StatusRequestEntityTooLarge},
		{"no site is listed", "", "", post(len(form)), form, http.StatusRequestEntityTooLarge},
	} {
		r := ask(t, path, with(test.variables, "HTTP_ORIGIN", site, "COMET_ORIGINS", test.origins), test.body)
		if r.status != test.status || r.header.Get("Access-Control-Allow-Origin") != test.allowed {
			t.Errorf("%s: HTTP %d %s, %v", test.name, r.status, r.body, r.header)
		}
		if test.allowed != "" && r.header.Get("Vary") != "Origin" {
			t.Errorf("%s: Vary: %q", test.name, r.header.Get("Vary"))
		}
	}
}

func TestService_RefusesAPollAtOnceAndKeepsTheConnection(t *testing.T) {
	t.Parallel()
	_, path := startServer(t, t.TempDir(), "COMET_SUBSCRIBE_ALLOW=news", longPoll, "COMET_SLEEP=1h")
	w := connect(t, path)
	for id := uint16(1); id < 4; id++ {
		w.send(t, requestRecords(id, keepConn, get("subscribed[news]=1&subscribed[other]=now"), ""))
		w.wantResponse(t, id, http.StatusForbidden,
			`{"error":"subscribing to \"other\" is not allowed without a login"}`)
	}
}

func TestService_AnswersPollsAboveMaxWaitingAtOnce(t *testing.T) {
	t.Parallel()
	const limit = 10
	s, path := startInProcess(t, t.TempDir(), fmt.Sprint("COMET_MAX_WAITING=", limit))
	polls := connectMany(t, path, limit)
	for _, w := range polls.all {
		w.send(t, requestRecords(1, 0, get("subscribed[a]=0.0"), ""))
	}
	servertest.WaitFor(t, "all polls wait", func() bool { return s.waiting() == limit })

	wantAnswer(t, ask(t, path, get("subscribed[a]=now"), ""), http.StatusOK, `{"s":0,"at":{"a":"0.000000"}}`)
	wantAnswer(t, ask(t, path, get("subscribed[a]=1"), ""), http.StatusOK, `{"s":0}`)
	// The second of a legacy cursor must end first, because a publication may still get it as its stamp.
	now := time.Now().Unix()
	wantAnswer(t, ask(t, path, get(fmt.Sprintf("subscribed[a]=%d", now)), ""), http.StatusOK, `{"s":0}`)
	if time.Now().Unix() == now {
		t.Error("the answer came before the second of the cursor ended")
	}
	if n := s.waiting(); n != limit {
		t.Errorf("%d polls wait, want %d", n, limit)
	}
	wantPublished(t, path, "a")
	for _, w := range polls.all {
		w.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	}
}

func TestService_RefusesInvalidVariables(t *testing.T) {
	t.Parallel()
	_, path := startServer(t, t.TempDir())
	whole := pairs(get("publish=truncated"))
	for name, variables := range map[string][]byte{
		"none":                      nil,
		"truncated":                 whole[:len(whole)-1],
		"an empty REQUEST_METHOD":   pairs(with(get("publish=a"), "REQUEST_METHOD", "")),
		"an invalid CONTENT_LENGTH": pairs(with(post(0), "CONTENT_LENGTH", "1e9")),
	} {
		t.Run(name, func(t *testing.T) {
			w := connect(t, path)
			w.send(t, beginRecord(1, 1, 0), streamRecords(4, 1, variables, 0), streamRecords(5, 1, nil, 0))
			w.wantResponse(t, 1, http.StatusBadRequest, `{"error":"`)
		})
	}
}

// A web server that is still sending does not read an answer.
func TestService_ReadsARequestThatIsTooLargeToItsEndAndRefusesIt(t *testing.T) {
	t.Parallel()
	const limit, tooMuch = 4096, 5 << 20
	directory := t.TempDir()
	_, path := startServer(t, directory, "COMET_MAX_REQUEST="+strconv.Itoa(limit))
	exact := get("publish=exact")
	exact["HTTP_COOKIE"] = strings.Repeat("c", limit-len(pairs(exact))-len("HTTP_COOKIE")-5)
	form := func(length int) string { return "publish=body&" + strings.Repeat("x", length-len("publish=body&")) }
	for _, test := range []struct {
		name      string
		variables map[string]string
		body      string
		status    int
		want      string
	}{
		{"variables", with(get("publish=variables"), "HTTP_COOKIE", strings.Repeat("c", tooMuch)), "",
			http.StatusRequestEntityTooLarge, `{"error":"`},
		{"variables of the largest size", exact, "", http.StatusOK, "true"},
		{"variables one byte too long", with(maps.Clone(exact), "HTTP_COOKIE", exact["HTTP_COOKIE"]+"c"), "",
			http.StatusRequestEntityTooLarge, `{"error":"`},
		{"a body", post(tooMuch), form(tooMuch), http.StatusRequestEntityTooLarge, `{"error":"`},
		{"a body one byte too long", post(limit + 1), form(limit + 1), http.StatusRequestEntityTooLarge, `{"error":"`},
		{"a body of the largest size", post(limit), form(limit), http.StatusOK, "true"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := connect(t, path)
			w.send(t, requestRecords(1, keepConn, test.variables, test.body))
			w.wantResponse(t, 1, test.status, test.want)
			w.send(t, requestRecords(1, keepConn, get("publish=next"), ""))
			w.wantResponse(t, 1, http.StatusOK, "true")
		})
	}
	for id, want := range map[string]bool{"variables": false, "exact": true, "next": true} {
		if got := exists(filepath.Join(directory, id+".comet")); got != want {
			t.Errorf("%s is published: %v, want %v", id, got, want)
		}
	}
}

// A web server that does not buffer bodies has only a part of one if the client resets its connection.
func TestService_PublishesNothingIfABodyIsIncomplete(t *testing.T) {
	t.Parallel()
	_, path := startServer(t, t.TempDir())
	for _, test := range []struct {
		name      string
		variables map[string]string
		body      string
	}{
		{"POST", with(get("publish=a"), "REQUEST_METHOD", "POST", "CONTENT_LENGTH", "10"), "a part"},
		{"PUT without a byte", with(get("publish=a"), "REQUEST_METHOD", "PUT", "CONTENT_LENGTH", "10"), ""},
		{"a form that publishes", post(20), "publish=a"},
		{"a form that polls", post(40), "subscribed[a]=now&wait=0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := connect(t, path)
			w.send(t, requestRecords(1, keepConn, test.variables, test.body))
			w.wantResponse(t, 1, http.StatusBadRequest, "Content-Length")
			w.send(t, requestRecords(1, keepConn, get("subscribed[a]=now&wait=0"), ""))
			w.wantResponse(t, 1, http.StatusOK, `{"s":0,"at":{"a":"0.000000"}}`)
		})
	}
}

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
	w.send(t, requestRecords(1, keepConn, get("publish=a"), ""))
	w.wantResponse(t, 1, http.StatusInternalServerError, `{"error":"internal error`)
	w.send(t, requestRecords(1, 0, get("subscribed[a]=now&wait=0"), ""))
	w.wantResponse(t, 1, http.StatusOK, `{"s":0`)
	wantLine(t, log.String(), "level=ERROR", "a fault in the store", "service_test.go")
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
		w.send(t, requestRecords(1, 0, get("publish=a"), ""))
	}
	wantServed := func() {
		t.Helper()
		wantAnswer(t, ask(t, path, get("subscribed[a]=now&wait=0"), ""), http.StatusOK, `{"s":0,"at":{"a":"0.000000"}}`)
		wantText(t, ask(t, path, getStatus("*/*"), "").body, `"max_serving":8,`)
	}
	wantServed()
	servertest.WaitFor(t, "half of the requests in progress publish", func() bool { return len(publishing) == 4 })
	wantServed()
	if n := len(publishing); n != 4 || s.reactor.Serving() > 8 {
		t.Errorf("%d publications are in progress, want 4 of 8 requests", n)
	}
	close(unblock)
	for _, w := range publishers.all {
		w.wantResponse(t, 1, http.StatusOK, "true")
	}
}

// What may block must not be done in the loop.
func TestService_OpensALocationInTheLoopOnlyIfItIsKnown(t *testing.T) {
	s, _ := startInProcess(t, t.TempDir())
	open := func(mayBlock bool, variables map[string]string) (subscribes, blocks bool) {
		opened := s.Open(&fastcgi.Request{Variables: variables}, mayBlock)
		return opened.Subscriber != nil, opened.Blocks
	}
	unknown := with(get("subscribed[a]=now"), "COMET_TRIES", "5")
	if subscribes, blocks := open(false, unknown); subscribes || !blocks {
		t.Errorf("an unknown location: subscribes: %v, blocks: %v", subscribes, blocks)
	}
	if subscribes, blocks := open(true, unknown); !subscribes || blocks {
		t.Errorf("outside the loop: subscribes: %v, blocks: %v", subscribes, blocks)
	}
	for name, variables := range map[string]map[string]string{
		"now known": unknown, "without variables": get("subscribed[a]=now"),
	} {
		if subscribes, blocks := open(false, variables); !subscribes || blocks {
			t.Errorf("%s: subscribes: %v, blocks: %v", name, subscribes, blocks)
		}
	}
	if subscribes, blocks := open(true, with(get("subscribed[a]=now"), "COMET_TRIES", "no")); subscribes || blocks {
		t.Errorf("an invalid location: subscribes: %v, blocks: %v", subscribes, blocks)
	}
}

func TestService_RefusesRequestsWithTheStatusOfTheReason(t *testing.T) {
	s, _ := startInProcess(t, t.TempDir())
	for _, test := range []struct {
		refused error
		status  int
	}{
		{fastcgi.ErrParams, http.StatusBadRequest},
		{reactor.ErrFull, http.StatusServiceUnavailable},
		{errors.New("too large"), http.StatusRequestEntityTooLarge},
	} {
		w := httptest.NewRecorder()
		opened := s.Open(&fastcgi.Request{Refused: test.refused}, true)
		opened.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if want := `{"error":"` + test.refused.Error() + `"}`; w.Code != test.status || w.Body.String() != want {
			t.Errorf("HTTP %d %s, want HTTP %d %s", w.Code, w.Body, test.status, want)
		}
	}
}
