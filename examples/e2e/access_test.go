package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"novcomet/examples/internal/launch"
)

// attempt is a request and the answer that it should get.
type attempt struct {
	name   string
	url    string // the query for /comet.php, or another path and its query
	form   string // the body of a POST, empty for a GET
	header header
	status int
	body   string // a part of the answer
}

// header has names and values of a request's header.
type header []string

func try(t *testing.T, site *launch.Site, attempts ...attempt) {
	t.Helper()
	for _, a := range attempts {
		method := http.MethodGet
		if a.form != "" {
			method = http.MethodPost
		}
		if !strings.HasPrefix(a.url, "/") {
			a.url = "/comet.php?" + a.url
		}
		r := newRequest(t, method, site.URL+a.url, a.form)
		for i := 0; i < len(a.header); i += 2 {
			r.Header.Set(a.header[i], a.header[i+1])
		}
		got := do(t, r)
		if got.status != a.status || !strings.Contains(got.body, a.body) {
			t.Errorf("%s: HTTP %d %s; want %d %s", a.name, got.status, got.body, a.status, a.body)
		}
	}
}

// basicAuth returns the header of a user who logs in.
func basicAuth(user, password string) header {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return header{"Authorization", r.Header.Get("Authorization")}
}

// restricted are the servers whose example file has all blocks of access control. Caddy's file has only some.
var restricted = []launch.Server{
	launch.ApacheCGI, launch.ApacheProxy, launch.ApacheFcgid, launch.Nginx, launch.LighttpdCGI, launch.Lighttpd,
}

func TestAccess_AllowsAllButPagesOfOtherSitesByDefault(t *testing.T) {
	forEachServer(t, launch.Servers(), launch.Options{}, func(t *testing.T, site *launch.Site) {
		try(t, site, []attempt{
			{"curl", "publish=a", "", nil, 200, "true"},
			{"a form", "", "publish=a", nil, 200, "true"},
			{"a forged user", "publish=a", "", basicAuth("root", "x"), 200, "true"},
			{"an image, https", "publish=a", "", header{"Sec-Fetch-Site", "cross-site"}, 403, "another site"},
			{"an image, http", "publish=a", "", header{"Referer", "http://evil.example/"}, 403, "another site"},
			{"another site's form", "", "publish=a", header{"Origin", "http://evil.example"}, 403, "another site"},
			{"a form of its own page", "", "publish=a", header{"Origin", site.URL}, 200, "true"},
			{"a header for a proxy", "publish=a", "", header{"Proxy", "http://evil.example"}, 200, "true"},
			{"arguments for a CGI program", "--version+-h+%2Fetc%2Fpasswd", "", nil, 200, `{"s":0}`},
			{"traversal", "publish=..%2f..%2fetc%2fpasswd", "", nil, 400, ""},
		}...)
	})
}

func TestAccess_PublishOnlyByPOST(t *testing.T) {
	servers := append([]launch.Server{launch.Caddy}, restricted...)
	o := launch.Options{Blocks: []string{"Publish only by POST"}}
	forEachServer(t, servers, o, func(t *testing.T, site *launch.Site) {
		try(t, site, []attempt{
			{"by GET", "publish=a", "", nil, 405, "GET"},
			{"by GET, percent-encoded", "%70ublish=a", "", nil, 405, ""},
			{"by POST", "", "publish=a", nil, 200, "true"},
			{"by POST, with the id in the query", "publish=a", "x=1", nil, 200, "true"},
			{"a poll by GET", "subscribed[a]=0.0", "", nil, 200, `{"s":1`},
		}...)
	})
}

func TestAccess_PublishOnlyFromThisMachine(t *testing.T) {
	blocks := []string{"Publish only from this machine"}
	poll := attempt{"a poll", "subscribed[b]=now", "", nil, 200, `{"s":0`}
	t.Run("allows this machine", func(t *testing.T) {
		o := launch.Options{Blocks: blocks}
		forEachServer(t, restricted, o, func(t *testing.T, site *launch.Site) {
			try(t, site, attempt{"publishing", "publish=a", "", nil, 200, "true"}, poll)
		})
	})
	// All requests come from 127.0.0.1. With another address in the block, that is another machine.
	t.Run("refuses other machines", func(t *testing.T) {
		for _, server := range restricted {
			address, other := "127.0.0.0/8", "192.0.0.0/8"
			if server == launch.Nginx {
				address, other = `127\.0\.0\.1`, `192\.0\.0\.1`
			}
			o := launch.Options{Blocks: blocks, Replace: map[string]string{address: other}}
			forEachServer(t, []launch.Server{server}, o, func(t *testing.T, site *launch.Site) {
				try(t, site, attempt{"publishing", "publish=a", "", nil, 403, "not allowed"}, poll)
			})
		}
	})
}

func TestAccess_PublishOnlyAsLoggedInUser(t *testing.T) {
	const second = "/comet-publish.php?"
	ann := basicAuth("ann", users["ann"])
	foreign := append(ann[:2:2], "Sec-Fetch-Site", "cross-site")
	servers := []launch.Server{launch.Nginx, launch.ApacheCGI, launch.ApacheProxy, launch.ApacheFcgid}
	o := launch.Options{Blocks: []string{"Nobody publishes at this URL", "A second URL"}, Users: users}
	forEachServer(t, servers, o, func(t *testing.T, site *launch.Site) {
		try(t, site, []attempt{
			{"at the first URL", "publish=a", "", nil, 403, ""},
			{"at the first URL, logged in", "publish=a", "", ann, 403, ""},
			{"at the second URL", second + "publish=a", "", nil, 401, ""},
			{"at the second URL, with a wrong password", second + "publish=a", "", basicAuth("ann", "x"), 401, ""},
			{"at the second URL, logged in", second + "publish=a", "", ann, 200, "true"},
			{"at the second URL, from another site's page", second + "publish=a", "", foreign, 403, ""},
			{"a poll at the second URL", second + "subscribed[a]=now", "", ann, 403, ""},
			{"a poll at the first URL", "subscribed[a]=0.0", "", nil, 200, `{"s":1`},
		}...)
	})
}

func TestAccess_LimitsRateOfPublications(t *testing.T) {
	// comet.cgi and mod_fcgid cannot count: each request has a process of its own.
	servers := []launch.Server{launch.Nginx, launch.ApacheProxy, launch.Lighttpd, launch.Caddy}
	o := launch.Options{Settings: map[string]string{"publish.rate": "3/h"}}
	forEachServer(t, servers, o, func(t *testing.T, site *launch.Site) {
		allowed := attempt{"one of three", "publish=a", "", nil, 200, "true"}
		try(t, site, allowed, allowed, allowed, attempt{"the fourth", "publish=a", "", nil, 429, "too many"})
	})
}
