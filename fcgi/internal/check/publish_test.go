package check_test

import (
	"net/http"
	"testing"

	"novcomet/core/access"
	"novcomet/fcgi/internal/check"
)

func TestPublish_PagesOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	e, _ := endpoint(t, access.Rules{})
	wantFinding(t, installation{url: serve(t, e)}.check(t), check.OK, "other sites", "HTTP 403")

	withoutOrigin := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode"} {
			r.Header.Del(name)
		}
		e.ServeHTTP(w, r)
	})
	wantFinding(t, installation{url: serve(t, withoutOrigin)}.check(t), check.Problem, "other sites", "Sec-Fetch-Site")
}

// A proxy that changes Host makes a page of the site look like another site's, also if publishing is
// forbidden.
func TestPublish_OwnPagesAreRecognized(t *testing.T) {
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

func TestPublish_ABodyOfDataMaxBytesGetsThrough(t *testing.T) {
	t.Parallel()
	page := func(status int) http.HandlerFunc { return respond(status, "text/html", "<html>") }
	tooMuch := respond(413, "application/json", `{"error":"too much"}`)
	for _, test := range []struct {
		name    string
		limit   int64
		refusal http.HandlerFunc
		verdict check.Verdict
		words   []string
	}{
		{"no limit", 2_000_000, page(413), check.OK, []string{"2000000 bytes", "gets through"}},
		{"nginx", 1_999_999, page(413), check.Problem, []string{"HTTP 413", "2000000 bytes", "client_max_body_size"}},
		{"mod_fcgid", 131_072, page(500), check.Problem, []string{"HTTP 500", "FcgidMaxRequestLen"}},
		{"NovComet", 1_000_000, tooMuch, check.Warning, []string{"too much", "--config"}},
		{"no POST", 0, page(403), check.OK, []string{"POST does not get through"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e, directory := endpoint(t, access.Rules{})
			limited := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.ContentLength > test.limit {
					test.refusal(w, r)
					return
				}
				e.ServeHTTP(w, r)
			})
			env := []string{"COMET_FILE_DIRECTORY=" + directory, "COMET_DATA_MAX_BYTES=2000000"}
			wantFinding(t, installation{url: serve(t, limited), env: env}.check(t), test.verdict, "data", test.words...)
		})
	}
}
