package check_test

import (
	"net/http"
	"testing"
	"time"

	"novcomet/core/access"
	"novcomet/fcgi/internal/check"
)

func TestOtherURLs_WithFewerRestrictionsAreFound(t *testing.T) {
	t.Parallel()
	withAccess := func(rules access.Rules) func(*testing.T) http.Handler {
		return func(t *testing.T) http.Handler {
			e, _ := endpoint(t, rules)
			return e
		}
	}
	open := withAccess(access.Rules{})
	noPublishing := withAccess(access.Rules{Publish: patterns(t)})
	onlyNews := withAccess(access.Rules{Subscribe: patterns(t, "news")})
	page := func(*testing.T) http.Handler { return respond(200, "text/html", "<html>") }
	password := func(*testing.T) http.Handler { return respond(401, "text/html", "<html>") }
	const cgi = "/cgi-bin/comet.cgi"
	for name, test := range map[string]struct {
		main, other func(*testing.T) http.Handler
		path        string
		allows      string // in addition; empty: nothing to report
	}{
		"the CGI program without a password":     {password, open, cgi, "subscribe and publish"},
		"the CGI program without rules":          {onlyNews, open, cgi, "everybody can subscribe;"},
		"the CGI program publishes":              {noPublishing, open, cgi, "everybody can publish;"},
		"the CGI program only publishes":         {password, onlyNews, cgi, "everybody can publish;"},
		"in upper case":                          {password, open, "/COMET.PHP", "subscribe and publish"},
		"with two slashes":                       {password, open, "//comet.php", "subscribe and publish"},
		"with an encoded letter":                 {password, open, "/%63omet.php", "subscribe and publish"},
		"the CGI program with the same password": {password, password, cgi, ""},
		"the CGI program with the same rules":    {noPublishing, noPublishing, cgi, ""},
		"the CGI program with more rules":        {open, noPublishing, cgi, ""},
		"another program":                        {password, page, cgi, ""},
		"a URL that is not examined":             {password, open, "/elsewhere", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			main, other := test.main(t), test.other(t)
			url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.EscapedPath() {
				case "/comet.php":
					main.ServeHTTP(w, r)
				case test.path:
					other.ServeHTTP(w, r)
				default:
					http.NotFound(w, r)
				}
			}))
			r := installation{url: url, wait: 10 * time.Millisecond}.check(t)
			if test.allows == "" {
				wantFinding(t, r, check.OK, "other URLs")
			} else {
				wantFinding(t, r, check.Problem, "other URLs", test.path, test.allows, "a2disconf comet-cgi serve-cgi-bin")
			}
		})
	}
}

func TestOtherURLs_AreRequestedWithoutThePasswordOfTheURL(t *testing.T) {
	t.Parallel()
	e, _ := endpoint(t, access.Rules{})
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, _, _ := r.BasicAuth(); user != "ann" && r.URL.Path == "/comet.php" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		e.ServeHTTP(w, r)
	}))
	r := installation{url: "http://ann:secret@" + url[len("http://"):], wait: 10 * time.Millisecond}.check(t)
	wantFinding(t, r, check.OK, "URL")
	wantFinding(t, r, check.Problem, "other URLs", "/cgi-bin/comet.cgi")
}
