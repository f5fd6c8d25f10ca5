package check_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"novcomet/core/access"
	"novcomet/fcgi/internal/check"
)

// serve serves a handler, and returns its URL.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL + "/comet.php"
}

// respond returns a handler that always gives the same answer.
func respond(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func TestURL_WhatIsNotNovCometIsNamed(t *testing.T) {
	t.Parallel()
	const problem, warning = check.Problem, check.Warning
	const html, json, plain = "text/html", "application/json", "text/plain"
	const not = "HTTP 200: NovComet does not answer here: "
	hangs := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	redirects := http.RedirectHandler("https://example.com/", http.StatusMovedPermanently)
	status := `{"program":"comet-fcgi","waiting":0}`
	private := respond(403, json, `{"error":"no"}`)
	for name, test := range map[string]struct {
		handler http.Handler
		verdict check.Verdict
		words   []string
	}{
		"an old comet.php":      {http.HandlerFunc(hangs), problem, []string{"wait=0 was not answered", "old comet.php"}},
		"one that never waits":  {respond(200, html, `{"s":0}`), problem, []string{"old comet.php"}},
		"a page":                {respond(200, html, "<!DOCTYPE html><title>x"), problem, []string{not + "<!DOCTYPE html>"}},
		"a script's source":     {respond(200, plain, "<?php echo 1;"), problem, []string{not + "<?php"}},
		"something else":        {respond(200, plain, "hello"), problem, []string{not + "hello", "examples/"}},
		"a status location":     {respond(200, json, status), problem, []string{not + `{"program"`}},
		"a password":            {respond(401, html, "<html>"), problem, []string{"does not let this machine in"}},
		"a private event":       {private, warning, []string{"--event", "refuses the check: no"}},
		"invalid settings":      {respond(500, json, `{"error":"bad"}`), problem, []string{"HTTP 500: bad"}},
		"a redirection":         {redirects, problem, []string{"leads to https://example.com/"}},
		"a gateway without one": {respond(503, html, "<html>"), problem, []string{"does not reach", "socket.group"}},
		"an overload":           {respond(503, json, `{"error":"full"}`), problem, []string{"NovComet's log", "503: full"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantFinding(t, installation{url: serve(t, test.handler)}.check(t), test.verdict, "URL", test.words...)
		})
	}
}

func TestURL_AnInvalidCertificateIsNamed(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(respond(200, "text/html", ""))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // It logs that the client gives up.
	server.StartTLS()
	t.Cleanup(server.Close)
	r := installation{url: server.URL + "/comet.php"}.check(t)
	wantFinding(t, r, check.Problem, "URL", "certificate signed by unknown authority", "or the certificate")
}

func TestURL_PublicationsAreTestedByTheMethodThatPublishes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rules   access.Rules
		verdict check.Verdict
		words   string
	}{
		"by POST":            {access.Rules{Methods: []string{"POST"}}, check.Warning, "everybody who reaches the URL"},
		"by no method":       {access.Rules{Methods: []string{}}, check.OK, "HTTP 405: not everybody"},
		"nobody may publish": {access.Rules{Publish: patterns(t)}, check.OK, "HTTP 403: not everybody"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, _ := endpoint(t, test.rules)
			r := installation{url: serve(t, e)}.check(t)
			wantFinding(t, r, test.verdict, "publish", test.words)
			if test.verdict == check.Warning {
				wantFinding(t, r, check.OK, "delivery", "after a publication")
			}
		})
	}
}

func TestURL_TooManyPublicationsAreNoRefusal(t *testing.T) {
	t.Parallel()
	rate, err := access.ParseRate("1/h")
	if err != nil {
		t.Fatal(err)
	}
	e, directory := endpoint(t, access.Rules{Rate: rate})
	i := installation{url: serve(t, e), env: []string{"COMET_FILE_DIRECTORY=" + directory}}
	first, second := i.check(t), i.check(t) // The first publication uses up the rate.
	wantFinding(t, first, check.Warning, "publish", "everybody")
	wantFinding(t, second, check.OK, "publish", "HTTP 429, not tested")
	for _, r := range []*check.Report{first, second} {
		wantFinding(t, r, check.OK, "delivery", "after a publication")
		wantFinding(t, r, check.OK, "stream", "an event after")
	}
}

// A proxy that changes Host makes a page of the site look like another site's, also if publishing is
// forbidden.
func TestURL_OwnPagesAreRecognized(t *testing.T) {
	t.Parallel()
	for name, rules := range map[string]access.Rules{
		"everybody may publish": {},
		"by POST":               {Methods: []string{"POST"}},
		"by GET":                {Methods: []string{"GET"}},
		"nobody may publish":    {Publish: patterns(t)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, _ := endpoint(t, rules)
			otherHost := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Host = "backend:8080"
				e.ServeHTTP(w, r)
			})
			wantFinding(t, installation{url: serve(t, e)}.check(t), check.OK, "own pages")
			wantFinding(t, installation{url: serve(t, otherHost)}.check(t), check.Problem, "own pages",
				"HTTP 403", "proxy_set_header Host $http_host")
		})
	}
}
