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
