package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"novcomet/core/servertest"
)

func TestServe_AnswersEachKindOfRequest(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	stamp, news := time.Unix(1763800000, 123456000), filepath.Join(directory, "news.comet")
	for _, err := range []error{os.WriteFile(news, nil, 0o600), os.Chtimes(news, stamp, stamp)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	form := "subscribed[news]=now&wait=0"
	method := func(name string) []string { return get("publish=by-"+name, "REQUEST_METHOD="+name) }
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, "subscribed[%d]=0&", i)
	}
	for _, test := range []struct {
		name      string
		variables []string
		stdin     string
		status    int
		body      string
	}{
		{"publish", get("publish=published"), "", 200, "true"},
		{"publish by a form", postForm(12), "publish=form", 200, "true"},
		{"a poll for an older event", get("subscribed[news]=1763799999"), "", 200, `{"s":1,"k":{"news":1763800000}}`},
		{"the poll of comet.php's own client",
			get("&subscribed[news]=1763799999&subscribed[other]=1763799999&1763800000123"), "",
			200, `{"s":1,"k":{"news":1763800000}}`},
		{"a precise poll", get("subscribed%5Bnews%5D=1.0"), "",
			200, `{"s":1,"k":{"news":1763800000.123456},"at":{"news":"1763800000.123456"}}`},
		{"a poll by a form", postForm(len(form)), form, 200, `{"s":0,"at":{"news":"1763800000.123456"}}`},
		{"a poll that ends unchanged", get("subscribed[never]=0"), "", 200, `{"s":0}`},
		{"a poll for 1000 events", get(many.String()), "", 200, `{"s":0}`},
		{"HEAD", method("HEAD"), "", 200, ""},
		{"OPTIONS", method("OPTIONS"), "", 204, ""},
		{"DELETE", method("DELETE"), "", 405, `{"error":"method \"DELETE\" is not one of …`},
		{"a method in small letters", method("get"), "", 405, `{"error":"method \"get\" …`},
		{"no query", get(""), "", 400, `{"error":"the request asks for nothing: …`},
		{"an id that leaves the directory", get("publish=../escaped"), "", 400, `{"error":"this id is not allowed: …`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := request(t, directory, test.stdin, test.variables...)
			a.want(t, test.status, test.body)
			if a.status != 204 && (a.header.Get("Content-Type") != "application/json; charset=utf-8" ||
				a.header.Get("Cache-Control") != "no-store") {
				t.Errorf("header %v", a.header)
			}
		})
	}
	t.Cleanup(func() { wantEvents(t, directory, "form", "news", "published") }) // after the parallel tests
}

// Web servers differ in these variables. cgi.Serve refuses some of the requests; PHP answers them all.
func TestServe_AnswersWhatPHPAnswers(t *testing.T) {
	t.Parallel()
	query := func(more ...string) []string { return get("publish=query", more...) }
	for _, test := range []struct {
		name      string
		variables []string
		stdin     string
		event     string
	}{
		{"HTTP/3 with an odd host and an odd path",
			query("SERVER_PROTOCOL=HTTP/3", "HTTP_HOST=a b/../c@d", "REQUEST_URI=/%zz?%"), "", "query"},
		{"HTTP/3", query("SERVER_PROTOCOL=HTTP/3"), "", "query"},
		{"HTTP/2.0", query("SERVER_PROTOCOL=HTTP/2.0"), "", "query"},
		{"a server side include", query("SERVER_PROTOCOL=INCLUDED"), "", "query"},
		{"no SERVER_PROTOCOL", without(query(), "SERVER_PROTOCOL"), "", "query"},
		{"a host with a space", query("HTTP_HOST=a b"), "", "query"},
		{"a host with a user", query("HTTP_HOST=a@b"), "", "query"},
		{"a host with a slash", query("HTTP_HOST=a/../b"), "", "query"},
		{"no host", without(query(), "HTTP_HOST"), "", "query"},
		{"an invalid REQUEST_URI", query("REQUEST_URI=/%zz?%"), "", "query"},
		{"no REQUEST_URI", without(query(), "REQUEST_URI"), "", "query"},
		{"QUERY_STRING wins over REQUEST_URI", query("REQUEST_URI=/comet.php?publish=uri"), "", "query"},
		{"a rewrite rule has added the query", query("REQUEST_URI=/news"), "", "query"},
		{"REQUEST_URI without QUERY_STRING",
			without(get("", "REQUEST_URI=/comet.php?publish=uri"), "QUERY_STRING"), "", "uri"},
		{"an empty CONTENT_LENGTH", query("CONTENT_LENGTH="), "", "query"},
		{"an invalid PATH_INFO", query("PATH_INFO=/a b%"), "", "query"},
		{"a body longer than its Content-Length", postForm(12), "publish=form&publish=more", "form"},
		{"method and query only", []string{"REQUEST_METHOD=GET", "QUERY_STRING=publish=query"}, "", "query"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			request(t, directory, test.stdin, test.variables...).want(t, 200, "true")
			wantEvents(t, directory, test.event)
		})
	}
}

// The directory may be created while a poll waits.
func TestServe_WithoutDirectoryPollsButDoesNotPublish(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	poll := request(t, missing, "", get("subscribed[a]=1")...)
	poll.wantLogged(t, 200, `{"s":0}`, missing, "no such file or directory")
	if poll.took < 200*time.Millisecond {
		t.Errorf("the poll waited only %v", poll.took)
	}
	publication := request(t, missing, "", get("publish=a")...)
	publication.wantLogged(t, 503, "false", missing, "no such file or directory", "event=a")
}

// comet.cgi logs only errors. The loss of data is one.
func TestServe_LogsWhyDataIsNotDelivered(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "a.comet"), []byte("too long"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := request(t, directory, "", get("subscribed[a]=0.0&data=1", "COMET_DATA_MAX_BYTES=7")...)
	a.wantLogged(t, 200, `{"s":1,…`, "without its data", "event=a", "data.max_bytes")
	if strings.Contains(a.body, `"d":`) {
		t.Errorf("%s; want the event without data", a.body)
	}
}

// Otherwise each request would log that.
func TestServe_WithoutInotifyStillChecksAndLogsNothing(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("the test must be root, to become a user whose inotify instances nothing else needs")
	}
	directory := servertest.OpenDirectory(t)
	// Its user number is not the one that the kernel passed to the process, by which slots are named.
	const as, noLimit = asProgram + "=" + withoutInotify, "COMET_CGI_MAX_WAITING=0"
	never := request(t, directory, "", get("subscribed[never]=now", as, noLimit)...)
	never.want(t, 200, `{"s":0,"at":{"never":"0.000000"}}`)
	answered := make(chan answer, 1)
	go func() {
		answered <- request(t, directory, "", get("subscribed[news]=now", as, noLimit, "COMET_TRIES=1000")...)
	}()
	// A poll for "now" does not see what was published before its first check, but what follows.
	pause := time.NewTicker(300 * time.Millisecond)
	defer pause.Stop()
	for {
		select {
		case a := <-answered:
			a.want(t, 200, `{"s":1,"k":{"news":…`)
			return
		case <-pause.C:
			if err := os.WriteFile(filepath.Join(directory, "news.comet"), []byte("news"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// startServer starts the web server of net/http with comet.cgi at /comet.php. Its error log must stay empty.
func startServer(t *testing.T, directory string, env ...string) *httptest.Server {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "error.log"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&cgi.Handler{
		Path:   executable(t),
		Root:   "/comet.php",
		Env:    append(settings(directory), env...),
		Stderr: log,
	})
	t.Cleanup(func() {
		server.Close()
		log.Close()
		if logged, err := os.ReadFile(log.Name()); err != nil || len(logged) > 0 {
			t.Errorf("logged %q (%v)", logged, err)
		}
	})
	return server
}

// wantAnswer sends a request and checks the status and a part of the body.
func wantAnswer(t *testing.T, server *httptest.Server, method, query, form string, status int, part string) {
	t.Helper()
	r, err := http.NewRequest(method, server.URL+"/comet.php?"+query, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := server.Client().Do(r)
	if err != nil {
		t.Errorf("?%s: %v", query, err)
		return
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status || !strings.Contains(string(body), part) {
		t.Errorf("?%s: HTTP %d %s, %v; want HTTP %d %s", query, response.StatusCode, body, err, status, part)
	}
}

func TestServe_AnswersBelowAWebServer(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	server := startServer(t, directory)
	wantAnswer(t, server, "GET", "publish=news", "", 200, "true")
	wantAnswer(t, server, "GET", "subscribed[news]=1&subscribed[other]=1", "", 200, `{"s":1,"k":{"news":`)
	wantAnswer(t, server, "GET", "subscribed[other]=now", "", 200, `{"s":0,"at":{"other":"0.000000"}}`)
	wantAnswer(t, server, "GET", "publish=%2e%2e%2fescaped", "", 400, `{"error":"`)
	wantAnswer(t, server, "POST", "", "publish=form", 200, "true")
	wantEvents(t, directory, "form", "news")
}

func TestServe_HEADNeitherPublishesNorWaits(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	server := startServer(t, directory, "COMET_TRIES=100000")
	wantAnswer(t, server, "HEAD", "publish=a", "", 200, "")
	wantAnswer(t, server, "HEAD", "subscribed[a]=0", "", 200, "")
	wantEvents(t, directory)
}

// Each poll and each publication is a process of its own.
func TestServe_AnswersAllPollsWhenAnyProgramPublishes(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	server := startServer(t, directory, "COMET_TRIES=1000")
	file := filepath.Join(directory, "news.comet")
	for publisher, publish := range map[string]func(){
		"comet.cgi": func() { wantAnswer(t, server, "GET", "publish=news", "", 200, "true") },
		"another program": func() {
			if err := os.WriteFile(file, []byte("news"), 0o600); err != nil {
				t.Error(err)
			}
		},
	} {
		// A poll for "now" does not see what was published before its first check, but what follows.
		begin, pause := time.Now(), time.NewTicker(300*time.Millisecond)
		var polls sync.WaitGroup
		for range 8 {
			polls.Go(func() { wantAnswer(t, server, "GET", "subscribed[news]=now", "", 200, `{"s":1,"k":{"news":`) })
		}
		answered := make(chan bool)
		go func() { polls.Wait(); close(answered) }()
		for waiting := true; waiting; {
			select {
			case <-answered:
				waiting = false
			case <-pause.C:
				publish()
			}
		}
		pause.Stop()
		if took := time.Since(begin); took > 30*time.Second {
			t.Errorf("%s: the last poll was answered after %v", publisher, took)
		}
	}
}
