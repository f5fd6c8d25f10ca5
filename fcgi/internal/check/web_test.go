package check_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/fcgi/internal/check"
)

// at serves a handler, and returns its URL.
func at(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL + "/comet.php"
}

// answers is what other things than NovComet answer.
func says(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func TestWhatIsNotNovCometIsToldByName(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer  http.HandlerFunc
		verdict check.Verdict
		words   []string
	}{
		"an old comet.php, patched not to wait": {says(200, "text/html", `{"s":0}`), check.Problem, []string{"old comet.php"}},
		"a page":                                {says(200, "text/html", "<!DOCTYPE html><title>x"), check.Problem, []string{"HTML page"}},
		"a script's source":                     {says(200, "text/plain", "<?php echo 1;"), check.Problem, []string{"source of a PHP script"}},
		"something else":                        {says(200, "text/plain", "hello"), check.Problem, []string{"something else"}},
		"a status location":                     {says(200, "application/json", `{"program":"comet-fcgi","waiting":0}`), check.Problem, []string{"COMET_STATUS"}},
		"a password":                            {says(401, "text/html", "<html>"), check.Problem, []string{"does not let this machine in"}},
		"an event not for all":                  {says(403, "application/json", `{"error":"subscribing to \"x\" is not allowed"}`), check.Warning, []string{"--event", "not allowed"}},
		"comet-fcgi as CGI":                     {says(500, "application/json", `{"error":"this is comet-fcgi, a FastCGI backend"}`), check.Problem, []string{"HTTP 500", "this is comet-fcgi"}},
		"a redirection":                         {http.RedirectHandler("https://example.com/", http.StatusMovedPermanently).ServeHTTP, check.Problem, []string{"leads to https://example.com/"}},
		"a gateway without one":                 {says(503, "text/html", "<html>"), check.Problem, []string{"does not reach comet-fcgi"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wants(t, arranged{url: at(t, test.answer)}.look(t), test.verdict, "URL", test.words...)
		})
	}
}

func TestAnOldCometPHPThatWaitsIsToldByItsWaiting(t *testing.T) {
	t.Parallel()
	url := at(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	wants(t, arranged{url: url}.look(t), check.Problem, "URL", "wait=0 was not answered", "old comet.php")
}

// endpoint is NovComet on a directory of its own.
func endpoint(t *testing.T) (h http.Handler, directory string) {
	t.Helper()
	directory = t.TempDir()
	e := core.NewEndpoint(&core.Files{Directory: directory, Mode: 0o600, Fine: true}, core.Settings{Tries: 2, Sleep: 500 * time.Millisecond})
	t.Cleanup(e.Close)
	return e, directory
}

func TestAnEndpointIsFoundRightAndLeftAsItWas(t *testing.T) {
	t.Parallel()
	e, directory := endpoint(t)
	r := arranged{url: at(t, e.ServeHTTP), env: []string{"COMET_FILE_DIRECTORY=" + directory}}.look(t)
	for _, about := range []string{"URL", "header", "clock", "delivery", "cache", "stream", "time-out"} {
		wants(t, r, check.OK, about)
	}
	wants(t, r, check.Warning, "publish", "publish.allow")
	if left, err := filepath.Glob(filepath.Join(directory, "*")); err != nil || len(left) > 0 {
		t.Errorf("it leaves %q behind (%v)", left, err)
	}
}

func TestAnEventOfTheAdministratorsIsNotRemoved(t *testing.T) {
	t.Parallel()
	e, directory := endpoint(t)
	r := arranged{url: at(t, e.ServeHTTP), env: []string{"COMET_FILE_DIRECTORY=" + directory}, event: "news"}.look(t)
	wants(t, r, check.OK, "delivery")
	if _, err := os.Stat(filepath.Join(directory, "news.comet")); err != nil {
		t.Error(err)
	}
}

func TestAPollIsNotWaitedForBeyondWait(t *testing.T) {
	t.Parallel()
	e, directory := endpoint(t)
	r := arranged{url: at(t, e.ServeHTTP), wait: 50 * time.Millisecond, env: []string{"COMET_FILE_DIRECTORY=" + directory}}.look(t)
	wants(t, r, check.OK, "time-out", "50ms at least", "--wait")
}

// A publication by the URL that does not come to the ears of the polls behind the same URL: two processes, with a store each.
func TestAPublicationThatIsNotSeenIsAProblem(t *testing.T) {
	t.Parallel()
	e, _ := endpoint(t)
	other, _ := endpoint(t)
	url := at(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "publish=") {
			other.ServeHTTP(w, r)
			return
		}
		e.ServeHTTP(w, r)
	})
	wants(t, arranged{url: url}.look(t), check.Problem, "delivery", "not seen through the URL")
}

func TestTheOriginOfOtherSitesMustArrive(t *testing.T) {
	t.Parallel()
	e, directory := endpoint(t)
	url := at(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Sec-Fetch-Site") == "cross-site" {
			says(403, "application/json", `{"error":"another site's page may not publish here"}`)(w, r)
			return
		}
		e.ServeHTTP(w, r)
	})
	wants(t, arranged{url: url, env: []string{"COMET_FILE_DIRECTORY=" + directory}}.look(t), check.OK, "other sites", "HTTP 403")
	deaf := at(t, func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode"} {
			r.Header.Del(name)
		}
		e.ServeHTTP(w, r)
	})
	wants(t, arranged{url: deaf, env: []string{"COMET_FILE_DIRECTORY=" + directory}}.look(t), check.Problem, "other sites", "Sec-Fetch-Site")
}

// A proxy that changes Host makes a page of the site look like one of another site, also where publishing is forbidden.
func TestHostMustArrive(t *testing.T) {
	t.Parallel()
	for name, access := range map[string]*core.Access{
		"everybody may publish": nil,
		"by POST":               {Methods: []string{"POST"}},
		"by GET":                {Methods: []string{"GET"}},
		"nobody may publish":    {Publish: patterns(t)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := guarded(t, access)
			changes := func(w http.ResponseWriter, r *http.Request) {
				r.Host = "backend:8080"
				e.ServeHTTP(w, r)
			}
			wants(t, arranged{url: at(t, e.ServeHTTP)}.look(t), check.OK, "own pages")
			wants(t, arranged{url: at(t, changes)}.look(t), check.Problem, "own pages", "HTTP 403", "proxy_set_header Host $http_host")
		})
	}
}

func patterns(t *testing.T, allowed ...string) core.Patterns {
	t.Helper()
	p, err := core.ParsePatterns(allowed)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Web servers have limits of their own for a body, and answer in their own way.
func TestABodyOfDataMaxBytesMustGetThrough(t *testing.T) {
	t.Parallel()
	e, directory := endpoint(t)
	limited := func(bytes int64, refusal http.HandlerFunc) string {
		return at(t, func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength > bytes {
				refusal(w, r)
				return
			}
			e.ServeHTTP(w, r)
		})
	}
	look := func(url string) *check.Report {
		return arranged{url: url, env: []string{"COMET_FILE_DIRECTORY=" + directory, "COMET_DATA_MAX_BYTES=2000000"}}.look(t)
	}
	html := "<html>too large</html>"
	wants(t, look(limited(2_000_000, says(413, "text/html", html))), check.OK, "data", "2000000 bytes", "gets through")
	wants(t, look(limited(1_999_999, says(413, "text/html", html))), check.Problem, "data", "HTTP 413", "2000000 bytes", "client_max_body_size")
	wants(t, look(limited(131_072, says(500, "text/html", html))), check.Problem, "data", "HTTP 500", "FcgidMaxRequestLen")
	wants(t, look(limited(1_000_000, says(413, "application/json", `{"error":"too much"}`))), check.Warning, "data", "too much", "another comet.yaml")
	wants(t, look(limited(0, says(403, "text/html", html))), check.OK, "data", "POST does not get through")
}
