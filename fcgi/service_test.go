package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"novcomet/core/servertest"
	"novcomet/fcgi/fastcgi"
	. "novcomet/fcgi/fastcgi/fastcgitest"
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
	r := ask(t, path, Get("subscribed[news]=1.0&subscribed[other]=now"), "")
	wantText(t, r.Body, `{"s":1,"k":{"news":`, `"at":{"news":"`, `,"other":"0.000000"}`)
	wantAnswer(t, ask(t, path, Get("subscribed[other]=now&wait=0"), ""), http.StatusOK,
		`{"s":0,"at":{"other":"0.000000"}}`)
	if got := r.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control: %q", got)
	}
	variables := Get("subscribed[a]=now&wait=0")
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
		{"a waiting poll", site, site, Get("subscribed[never]=now"), "", http.StatusOK},
		{"a form that is too large", site, site, Post(len(form)), form, http.StatusRequestEntityTooLarge},
		{"another site", "https://b.example", "", Post(len(form)), form, http.StatusRequestEntityTooLarge},
		{"no site is listed", "", "", Post(len(form)), form, http.StatusRequestEntityTooLarge},
	} {
		r := ask(t, path, With(test.variables, "HTTP_ORIGIN", site, "COMET_ORIGINS", test.origins), test.body)
		if r.Status != test.status || r.Header.Get("Access-Control-Allow-Origin") != test.allowed {
			t.Errorf("%s: HTTP %d %s, %v", test.name, r.Status, r.Body, r.Header)
		}
		if test.allowed != "" && r.Header.Get("Vary") != "Origin" {
			t.Errorf("%s: Vary: %q", test.name, r.Header.Get("Vary"))
		}
	}
}

func TestService_RefusesAPollAtOnceAndKeepsTheConnection(t *testing.T) {
	t.Parallel()
	_, path := startServer(t, t.TempDir(), "COMET_SUBSCRIBE_ALLOW=news", longPoll, "COMET_SLEEP=1h")
	w := connect(t, path)
	for id := uint16(1); id < 4; id++ {
		w.Send(t, Request(id, Keep, Get("subscribed[news]=1&subscribed[other]=now"), ""))
		w.WantResponse(t, id, http.StatusForbidden,
			`{"error":"subscribing to \"other\" is not allowed"}`)
	}
}

func TestService_AnswersPollsAboveMaxWaitingAtOnce(t *testing.T) {
	t.Parallel()
	const limit = 10
	s, path := startInProcess(t, t.TempDir(), fmt.Sprint("COMET_MAX_WAITING=", limit))
	polls := connectMany(t, path, limit)
	for _, w := range polls.all {
		w.Send(t, Request(1, 0, Get("subscribed[a]=0.0"), ""))
	}
	servertest.WaitFor(t, "all polls wait", func() bool { return s.waiting() == limit })

	wantAnswer(t, ask(t, path, Get("subscribed[a]=now"), ""), http.StatusOK, `{"s":0,"at":{"a":"0.000000"}}`)
	wantAnswer(t, ask(t, path, Get("subscribed[a]=1"), ""), http.StatusOK, `{"s":0}`)
	// The second of a legacy cursor must end first, because a publication may still get it as its stamp.
	now := time.Now().Unix()
	wantAnswer(t, ask(t, path, Get(fmt.Sprintf("subscribed[a]=%d", now)), ""), http.StatusOK, `{"s":0}`)
	if time.Now().Unix() == now {
		t.Error("the answer came before the second of the cursor ended")
	}
	if n := s.waiting(); n != limit {
		t.Errorf("%d polls wait, want %d", n, limit)
	}
	wantPublished(t, path, "a")
	for _, w := range polls.all {
		w.WantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	}
}

func TestService_RefusesInvalidVariables(t *testing.T) {
	t.Parallel()
	_, path := startServer(t, t.TempDir())
	whole := Pairs(Get("publish=truncated"))
	for name, variables := range map[string][]byte{
		"none":                      nil,
		"truncated":                 whole[:len(whole)-1],
		"an empty REQUEST_METHOD":   Pairs(With(Get("publish=a"), "REQUEST_METHOD", "")),
		"an invalid CONTENT_LENGTH": Pairs(With(Post(0), "CONTENT_LENGTH", "1e9")),
	} {
		t.Run(name, func(t *testing.T) {
			w := connect(t, path)
			w.Send(t, Begin(1, 1, 0), Stream(4, 1, variables, 0), Stream(5, 1, nil, 0))
			w.WantResponse(t, 1, http.StatusBadRequest, `{"error":"`)
		})
	}
}

// A web server that is still sending does not read an answer.
func TestService_ReadsARequestThatIsTooLargeToItsEndAndRefusesIt(t *testing.T) {
	t.Parallel()
	const limit, tooMuch = 4096, 5 << 20
	directory := t.TempDir()
	_, path := startServer(t, directory, "COMET_MAX_REQUEST="+strconv.Itoa(limit))
	exact := Get("publish=exact")
	exact["HTTP_COOKIE"] = strings.Repeat("c", limit-len(Pairs(exact))-len("HTTP_COOKIE")-5)
	form := func(length int) string { return "publish=body&" + strings.Repeat("x", length-len("publish=body&")) }
	for _, test := range []struct {
		name      string
		variables map[string]string
		body      string
		status    int
		want      string
	}{
		{"variables", With(Get("publish=variables"), "HTTP_COOKIE", strings.Repeat("c", tooMuch)), "",
			http.StatusRequestEntityTooLarge, `{"error":"`},
		{"variables of the largest size", exact, "", http.StatusOK, "true"},
		{"variables one byte too long", With(maps.Clone(exact), "HTTP_COOKIE", exact["HTTP_COOKIE"]+"c"), "",
			http.StatusRequestEntityTooLarge, `{"error":"`},
		{"a body", Post(tooMuch), form(tooMuch), http.StatusRequestEntityTooLarge, `{"error":"`},
		{"a body one byte too long", Post(limit + 1), form(limit + 1), http.StatusRequestEntityTooLarge, `{"error":"`},
		{"a body of the largest size", Post(limit), form(limit), http.StatusOK, "true"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := connect(t, path)
			w.Send(t, Request(1, Keep, test.variables, test.body))
			w.WantResponse(t, 1, test.status, test.want)
			w.Send(t, Request(1, Keep, Get("publish=next"), ""))
			w.WantResponse(t, 1, http.StatusOK, "true")
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
		{"POST", With(Get("publish=a"), "REQUEST_METHOD", "POST", "CONTENT_LENGTH", "10"), "a part"},
		{"PUT without a byte", Put("a", 10), ""},
		{"a form that publishes", Post(20), "publish=a"},
		{"a form that polls", Post(40), "subscribed[a]=now&wait=0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := connect(t, path)
			w.Send(t, Request(1, Keep, test.variables, test.body))
			w.WantResponse(t, 1, http.StatusBadRequest, "Content-Length")
			w.Send(t, Request(1, Keep, Get("subscribed[a]=now&wait=0"), ""))
			w.WantResponse(t, 1, http.StatusOK, `{"s":0,"at":{"a":"0.000000"}}`)
		})
	}
}

// What may block must not be done in the loop.
func TestService_OpensALocationInTheLoopOnlyIfItIsKnown(t *testing.T) {
	s, _ := startInProcess(t, t.TempDir())
	open := func(mayBlock bool, variables map[string]string) (subscribes, blocks bool) {
		opened := s.Open(&fastcgi.Request{Variables: variables}, mayBlock)
		return opened.Subscriber != nil, opened.Blocks
	}
	unknown := With(Get("subscribed[a]=now"), "COMET_TRIES", "5")
	if subscribes, blocks := open(false, unknown); subscribes || !blocks {
		t.Errorf("an unknown location: subscribes: %v, blocks: %v", subscribes, blocks)
	}
	if subscribes, blocks := open(true, unknown); !subscribes || blocks {
		t.Errorf("outside the loop: subscribes: %v, blocks: %v", subscribes, blocks)
	}
	for name, variables := range map[string]map[string]string{
		"now known": unknown, "without variables": Get("subscribed[a]=now"),
	} {
		if subscribes, blocks := open(false, variables); !subscribes || blocks {
			t.Errorf("%s: subscribes: %v, blocks: %v", name, subscribes, blocks)
		}
	}
	if subscribes, blocks := open(true, With(Get("subscribed[a]=now"), "COMET_TRIES", "no")); subscribes || blocks {
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
