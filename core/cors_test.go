package core_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
	"novcomet/core/access"
	"novcomet/core/internal/coretest"
)

// newRequest returns a request to http://example.com. The header is given as names and values.
func newRequest(method, query string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "http://example.com/comet.php?"+query, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func TestEndpoint_RefusesPublicationsOfOtherSitesPages(t *testing.T) {
	const site, from, page = "Sec-Fetch-Site", "Origin", "Referer"
	for _, test := range []struct {
		name    string
		header  []string
		origins string
		refused bool
	}{
		{"curl", nil, "", false},
		{"a URL that was typed", []string{site, "none"}, "", false},
		{"its own page", []string{site, "same-origin", from, "https://example.com"}, "", false},
		{"its own page behind a proxy", []string{site, "same-origin", from, "https://a.example"}, "", false},
		{"<img> over HTTPS", []string{site, "cross-site", page, "https://evil.example/"}, "", true},
		{"<img> over HTTPS without a Referer", []string{site, "cross-site"}, "", true},
		{"fetch over HTTPS", []string{site, "cross-site", from, "https://evil.example"}, "", true},
		{"a sister site", []string{site, "same-site", from, "https://www.example.com"}, "", true},
		{"an unknown Sec-Fetch-Site", []string{site, "same-planet", from, "https://example.com"}, "", true},
		{"two values", []string{site, "same-origin, cross-site"}, "", true},
		{"a sandboxed page over HTTPS", []string{site, "cross-site", from, "null"}, "", true},
		{"<img> over HTTP", []string{page, "http://evil.example/page"}, "", true},
		{"<img> of its own page over HTTP", []string{page, "http://example.com/page?x=1"}, "", false},
		{"a form over HTTP", []string{from, "http://evil.example", page, "http://example.com/"}, "", true},
		{"a form of its own page over HTTP", []string{from, "http://example.com"}, "", false},
		{"a sandboxed page over HTTP", []string{from, "null"}, "", true},
		{"another port", []string{from, "http://example.com:8081"}, "", true},
		{"its own port, which Host does not have", []string{from, "http://example.com:8080"}, "", false},
		{"nonsense", []string{from, "%%%"}, "", true},
		{"a listed site", []string{site, "cross-site", from, "https://a.example"}, "https://a.example", false},
		{"<img> of a listed site", []string{site, "cross-site", page, "https://a.example/"}, "https://a.example", false},
		{"<img> of a listed site without a Referer", []string{site, "cross-site"}, "https://a.example", true},
		{"a listed site over HTTP", []string{from, "http://A.example:8080"}, "http://a.example:8080", false},
		{"an unlisted site", []string{site, "cross-site", from, "https://b.example"}, "https://a.example", true},
		{"every site", []string{site, "cross-site", from, "https://evil.example"}, "*", false},
		{"every site, sandboxed", []string{site, "cross-site", from, "null"}, "*", false},
		{"<img> of every site", []string{site, "cross-site"}, "*", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			location := &core.Location{Access: access.Rules{Origins: origins(strings.Fields(test.origins)...)}}
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead} {
				memory := coretest.NewMemory()
				r := newRequest(method, "publish=a", test.header...)
				r = r.WithContext(core.WithLocation(r.Context(), location, core.Client{Port: "8080"}))
				status, body := send(t, newEndpoint(memory, core.Location{}), r)
				want := http.StatusOK
				if test.refused {
					want = http.StatusForbidden
				}
				publishes := method != http.MethodHead && !test.refused
				if published := len(memory.Stamps()) > 0; status != want || published != publishes {
					t.Errorf("%s: HTTP %d %s, published: %v; want %d", method, status, body, published, want)
				}
			}
		})
	}
}

// Another site's page cannot read the answer, but it sees when it arrives. So its poll is not the visitor's.
func TestEndpoint_ServesPollsOfOtherSitesPagesWithoutAUser(t *testing.T) {
	rules := access.Rules{
		Subscribe: patterns("news", "user:<user>:*"), Origins: origins("https://a.example", "*"),
	}
	endpoint := asUser(withAccess(access.Rules{}), rules, "ann")
	for _, test := range []struct {
		id     string
		header []string
		status int
	}{
		{"user:ann:1", nil, 200},
		{"user:ann:1", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"user:ann:1", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"user:ann:1", []string{"Referer", "http://evil.example/"}, 403},
		{"user:ann:1", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://a.example"}, 200},
		{"news", []string{"Sec-Fetch-Site", "cross-site"}, 200},
	} {
		status, body := send(t, endpoint, newRequest("GET", "subscribed["+test.id+"]=now", test.header...))
		if status != test.status {
			t.Errorf("%s, %q: HTTP %d %s; want %d", test.id, test.header, status, body, test.status)
		}
	}
}

// A page that cannot read an answer does not learn what is wrong. So all answers have the headers.
func TestEndpoint_LetsListedSitesReadEveryAnswer(t *testing.T) {
	for _, test := range []struct {
		name, request, body string
		status              int
	}{
		{"a publication", "GET publish=a", "", 200},
		{"a refused publication", "GET publish=b", "", 403},
		{"a poll that is answered", "GET subscribed[a]=1.0", "", 200},
		{"a poll that ends unchanged", "GET subscribed[a]=now", "", 200},
		{"a refused poll", "GET subscribed[b]=now", "", 403},
		{"a poll in a form", "POST ", "subscribed[a]=now", 200},
		{"an empty query", "GET ", "", 400},
		{"a bad id", "GET publish=a/b", "", 400},
		{"a form that is too large", "POST ", "publish=a&" + strings.Repeat("x", 1<<17), 413},
		{"an unknown method", "DELETE publish=a", "", 405},
		{"HEAD", "HEAD publish=a", "", 200},
		{"OPTIONS", "OPTIONS publish=a", "", 204},
	} {
		for _, from := range []struct{ origins, origin, allowed, vary string }{
			{"https://a.example http://b.example", "https://a.example", "https://a.example", "Origin"},
			{"https://a.example http://b.example", "HTTP://b.example:80", "http://b.example", "Origin"},
			{"https://a.example", "https://evil.example", "", "Origin"},
			{"https://a.example", "null", "", "Origin"},
			{"https://a.example", "", "", "Origin"},
			{"*", "https://evil.example", "*", ""},
			{"*", "", "*", ""},
			{"", "https://a.example", "", ""},
		} {
			t.Run(test.name+" of "+from.origin+" with "+from.origins, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					memory := coretest.NewMemory()
					memory.Set("a", coretest.Start.Add(-time.Minute))
					only := patterns("a")
					rules := access.Rules{Subscribe: only, Publish: only, Origins: origins(strings.Fields(from.origins)...)}
					endpoint := newEndpoint(memory, core.Location{Tries: 2, Sleep: time.Second, Access: rules})
					method, query, _ := strings.Cut(test.request, " ")
					r := httptest.NewRequest(method, "http://example.com/?"+query, strings.NewReader(test.body))
					r.Header.Set("Content-Type", form)
					r.Header.Set("Sec-Fetch-Site", "same-origin") // This test is about reading.
					if from.origin != "" {
						r.Header.Set("Origin", from.origin)
					}
					w := httptest.NewRecorder()
					endpoint.ServeHTTP(w, r)
					preflight := method == http.MethodOptions && from.allowed != ""
					checkCORS(t, w.Result(), test.status, from.allowed, from.vary, preflight)
				})
			})
		}
	}
}

func checkCORS(t *testing.T, response *http.Response, status int, allowed, vary string, preflight bool) {
	t.Helper()
	want := map[string]string{
		"Access-Control-Allow-Origin": allowed, "Vary": vary,
		"Access-Control-Allow-Credentials": "", // A page may read only what every client may.
		"Access-Control-Allow-Methods":     "", "Access-Control-Allow-Headers": "", "Access-Control-Max-Age": "",
	}
	if preflight {
		want["Access-Control-Allow-Methods"] = "GET, POST, PUT, HEAD, OPTIONS"
		want["Access-Control-Allow-Headers"] = "Content-Type, Last-Event-ID, Cache-Control"
		want["Access-Control-Max-Age"] = "7200"
	}
	if response.StatusCode != status {
		t.Errorf("HTTP %d; want %d", response.StatusCode, status)
	}
	for name, value := range want {
		if got := strings.Join(response.Header.Values(name), "|"); got != value {
			t.Errorf("%s: %q; want %q", name, got, value)
		}
	}
}
