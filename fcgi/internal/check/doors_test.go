package check_test

import (
	"net/http"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/fcgi/internal/check"
)

func TestCheck_FindsAnotherURLWithFewerRestrictions(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T) http.Handler { return guarded(t, nil) }
	noPublishing := func(t *testing.T) http.Handler { return guarded(t, &core.Access{Publish: patterns(t)}) }
	onlyNews := func(t *testing.T) http.Handler { return guarded(t, &core.Access{Subscribe: patterns(t, "news")}) }
	password := func(t *testing.T) http.Handler { return says(401, "text/html", "<html>") }
	for name, test := range map[string]struct {
		front, other func(*testing.T) http.Handler
		path         string
		more         string // empty: nothing to report
	}{
		"the CGI program without a password":     {password, open, "/cgi-bin/comet.cgi", "subscribe and publish"},
		"the CGI program without rules":          {onlyNews, open, "/cgi-bin/comet.cgi", "everybody can subscribe;"},
		"the CGI program publishes":              {noPublishing, open, "/cgi-bin/comet.cgi", "everybody can publish;"},
		"the CGI program publishes, and no more": {password, onlyNews, "/cgi-bin/comet.cgi", "everybody can publish;"},
		"in upper case":                          {password, open, "/COMET.PHP", "subscribe and publish"},
		"with two slashes":                       {password, open, "//comet.php", "subscribe and publish"},
		"with an encoded letter":                 {password, open, "/%63omet.php", "subscribe and publish"},
		"the CGI program with the same password": {password, password, "/cgi-bin/comet.cgi", ""},
		"the CGI program with the same rules":    {noPublishing, noPublishing, "/cgi-bin/comet.cgi", ""},
		"the CGI program with more rules":        {open, noPublishing, "/cgi-bin/comet.cgi", ""},
		"another program":                        {password, func(*testing.T) http.Handler { return says(200, "text/html", "<html>") }, "/cgi-bin/comet.cgi", ""},
		"a URL that is not looked at":            {password, open, "/elsewhere", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			front, other := test.front(t), test.other(t)
			url := at(t, func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.EscapedPath() {
				case "/comet.php":
					front.ServeHTTP(w, r)
				case test.path:
					other.ServeHTTP(w, r)
				default:
					http.NotFound(w, r)
				}
			})
			r := arranged{url: url, wait: 10 * time.Millisecond}.look(t)
			if test.more == "" {
				wants(t, r, check.OK, "other URLs")
			} else {
				wants(t, r, check.Problem, "other URLs", test.path, test.more, "a2disconf comet-cgi serve-cgi-bin")
			}
		})
	}
}

// A check with a password finds the URL that needs none.
func TestCheck_LooksAtOtherURLsWithoutItsPassword(t *testing.T) {
	t.Parallel()
	e := guarded(t, nil)
	url := at(t, func(w http.ResponseWriter, r *http.Request) {
		if user, _, _ := r.BasicAuth(); user != "ann" && r.URL.Path == "/comet.php" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		e.ServeHTTP(w, r)
	})
	r := arranged{url: "http://ann:secret@" + url[len("http://"):], wait: 10 * time.Millisecond}.look(t)
	wants(t, r, check.OK, "URL")
	wants(t, r, check.Problem, "other URLs", "/cgi-bin/comet.cgi")
}

func guarded(t *testing.T, access *core.Access) http.Handler {
	t.Helper()
	e := core.NewEndpoint(&core.Files{Directory: t.TempDir(), Mode: 0o600, Fine: true}, core.Settings{Tries: 2, Sleep: 500 * time.Millisecond, Access: access})
	t.Cleanup(e.Close)
	return e
}
