package core_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

func origins(t testing.TB, sites ...string) core.Origins {
	t.Helper()
	o, err := core.ParseOrigins(sites)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// asBrowser is a request as a browser sends it to http(s)://example.com: fields are names and values of its header.
func asBrowser(t testing.TB, method, query string, fields ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/comet.php?"+query, nil)
	r.Host = "example.com"
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	return r
}

func TestAPublicationOfAnotherSitesPageIsRefused(t *testing.T) {
	const site, from, page = "Sec-Fetch-Site", "Origin", "Referer"
	for _, test := range []struct {
		name    string
		host    string // of the request; default: example.com
		port    string // of the web server
		header  []string
		origins string
		refused bool
	}{
		{name: "curl: none of them"},
		{name: "typed, or from a bookmark", header: []string{site, "none"}},
		{name: "of its own page", header: []string{site, "same-origin", from, "https://example.com"}},
		{name: "of its own page, which the proxy in front calls another", host: "backend:8080", header: []string{site, "same-origin", from, "https://example.com"}},
		{name: "<img> over https", header: []string{site, "cross-site", page, "https://evil.example/"}, refused: true},
		{name: "<img> over https, without a Referer", header: []string{site, "cross-site"}, refused: true},
		{name: "fetch over https", header: []string{site, "cross-site", from, "https://evil.example"}, refused: true},
		{name: "of a sister site", header: []string{site, "same-site", from, "https://www.example.com"}, refused: true},
		{name: "a word that nobody knows yet", header: []string{site, "same-planet", from, "https://example.com"}, refused: true},
		{name: "two words", header: []string{site, "same-origin, cross-site"}, refused: true},
		{name: "<img> over http", header: []string{page, "http://evil.example/page"}, refused: true},
		{name: "<img> of its own page over http", header: []string{page, "http://example.com/page?x=1"}},
		{name: "form over http", header: []string{from, "http://evil.example", page, "http://example.com/"}, refused: true},
		{name: "form of its own page over http", header: []string{from, "http://example.com"}},
		{name: "sandboxed", header: []string{from, "null"}, refused: true},
		{name: "sandboxed, over https", header: []string{site, "cross-site", from, "null"}, refused: true},
		{name: "large letters", host: "EXAMPLE.com", header: []string{from, "http://example.COM"}},
		{name: "the port of http, said by one", host: "example.com:80", header: []string{from, "http://example.com"}},
		{name: "the port of https, said by the other", header: []string{from, "https://example.com:443"}},
		{name: "another port", header: []string{from, "http://example.com:8080"}, refused: true},
		{name: "its own port", host: "example.com:8080", header: []string{from, "http://example.com:8080"}},
		{name: "an address of IPv6", host: "[::1]:8080", header: []string{from, "http://[::1]:8080"}},
		{name: "its own port, which nginx keeps from the Host", port: "8080", header: []string{from, "http://example.com:8080"}},
		{name: "an address of IPv6 and its port, kept from the Host", host: "[::1]", port: "8080", header: []string{from, "http://[::1]:8080"}},
		{name: "the usual port, mapped to another one", port: "8080", header: []string{from, "http://example.com"}},
		{name: "another port than the one kept from the Host", port: "8080", header: []string{from, "http://example.com:8081"}, refused: true},
		{name: "the port of the web server where the Host has another one", host: "example.com:80", port: "8080", header: []string{from, "http://example.com:8080"}, refused: true},
		{name: "a host that ends like its own", header: []string{from, "http://evil-example.com"}, refused: true},
		{name: "a host that begins like its own", header: []string{from, "http://example.com.evil.example"}, refused: true},
		{name: "its own as the user's name", header: []string{from, "http://example.com@evil.example"}, refused: true},
		{name: "a TLS proxy in front", header: []string{from, "https://example.com"}},
		{name: "no host", host: "-", header: []string{from, "http://example.com"}, refused: true},
		{name: "nonsense", header: []string{from, "%%%"}, refused: true},
		{name: "a listed one", origins: "https://a.example", header: []string{site, "cross-site", from, "https://a.example"}},
		{name: "a listed one's <img>", origins: "https://a.example", header: []string{site, "cross-site", page, "https://a.example/page"}},
		{name: "a listed one's <img> without a Referer", origins: "https://a.example", header: []string{site, "cross-site"}, refused: true},
		{name: "a listed one over http", origins: "http://a.example:8080", header: []string{from, "http://A.example:8080"}},
		{name: "a listed one by another scheme", origins: "https://a.example", header: []string{site, "cross-site", from, "http://a.example"}, refused: true},
		{name: "a listed one at another port", origins: "https://a.example", header: []string{site, "cross-site", from, "https://a.example:8443"}, refused: true},
		{name: "a listed one at the usual port", origins: "https://a.example:443", header: []string{site, "cross-site", from, "https://a.example"}},
		{name: "below a listed one", origins: "https://a.example", header: []string{site, "cross-site", from, "https://b.a.example"}, refused: true},
		{name: "another one than listed", origins: "https://a.example https://b.example", header: []string{site, "cross-site", from, "https://c.example"}, refused: true},
		{name: "every site", origins: "*", header: []string{site, "cross-site", from, "https://evil.example"}},
		{name: "every site, sandboxed", origins: "*", header: []string{site, "cross-site", from, "null"}},
		{name: "every site's <img>", origins: "*", header: []string{site, "cross-site"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead} {
				store := newMemory()
				endpoint := core.NewEndpoint(store, core.Settings{Port: test.port, Access: &core.Access{Origins: origins(t, strings.Fields(test.origins)...)}})
				r := asBrowser(t, method, "publish=a", test.header...)
				if test.host != "" {
					r.Host = strings.Trim(test.host, "-")
				}
				w := httptest.NewRecorder()
				endpoint.ServeHTTP(w, r)
				want, published := 200, method != http.MethodHead && !test.refused
				if test.refused {
					want = 403
				}
				if w.Code != want || store.stamps[mustID(t, "a")] != 0 != published {
					t.Errorf("%s: HTTP %d %s, stamp %v; want %d", method, w.Code, w.Body, store.stamps[mustID(t, "a")], want)
				}
			}
		})
	}
}

// A refused publication must not cost the visitor his rate, nor say more than it has to.
func TestARefusedPublicationDoesNotCount(t *testing.T) {
	rate, err := core.ParseRate("1/h")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := core.NewEndpoint(newMemory(), core.Settings{Access: &core.Access{Rate: rate}})
	for range 3 {
		if status, _ := send(t, endpoint, asBrowser(t, "GET", "publish=a", "Sec-Fetch-Site", "cross-site")); status != 403 {
			t.Errorf("HTTP %d; want 403", status)
		}
	}
	if status, body := send(t, endpoint, asBrowser(t, "GET", "publish=a")); status != 200 {
		t.Errorf("HTTP %d %s; want 200", status, body)
	}
}

// The page of another site can't read the answer, but sees when it comes: so it does not wait for the visitor's own events.
func TestAPollOfAnotherSitesPageIsNobodys(t *testing.T) {
	patterns, err := core.ParsePatterns([]string{"news", "user:<user>:*"})
	if err != nil {
		t.Fatal(err)
	}
	endpoint := core.NewEndpoint(newMemory(), core.Settings{User: "ann", Access: &core.Access{Subscribe: patterns, Origins: origins(t, "https://a.example", "*")}})
	for _, test := range []struct {
		query  string
		header []string
		status int
	}{
		{"subscribed[user:ann:1]=now", nil, 200},
		{"subscribed[user:ann:1]=now", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"subscribed[user:ann:1]=now", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"subscribed[user:ann:1]=now", []string{"Referer", "http://evil.example/"}, 403},
		{"subscribed[user:ann:1]=now", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://a.example"}, 200},
		{"subscribed[news]=now", []string{"Sec-Fetch-Site", "cross-site"}, 200},
	} {
		if status, body := send(t, endpoint, asBrowser(t, "GET", test.query, test.header...)); status != test.status {
			t.Errorf("%s, %q: HTTP %d %s; want %d", test.query, test.header, status, body, test.status)
		}
	}
}

// A page that can't read an answer learns nothing of what is wrong: so every one has what lets it.
func TestEveryAnswerToAListedSiteLetsItsPageRead(t *testing.T) {
	patterns, err := core.ParsePatterns([]string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, method, query, body string
		status                    int
	}{
		{"a publication", "GET", "publish=a", "", 200},
		{"a refused publication", "GET", "publish=b", "", 403},
		{"a poll that is answered", "GET", "subscribed[a]=1.0", "", 200},
		{"a poll that ends unchanged", "GET", "subscribed[a]=now", "", 200},
		{"a refused poll", "GET", "subscribed[b]=now", "", 403},
		{"a poll in a form", "POST", "", "subscribed[a]=now", 200},
		{"nothing asked", "GET", "", "", 400},
		{"a bad id", "GET", "publish=a/b", "", 400},
		{"too large a form", "POST", "", "publish=a&" + strings.Repeat("x", 1<<17), 413},
		{"a method that there is not", "DELETE", "publish=a", "", 405},
		{"a HEAD", "HEAD", "publish=a", "", 200},
		{"OPTIONS", "OPTIONS", "publish=a", "", 204},
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
			t.Run(test.name+" of "+from.origin+" where there is "+from.origins, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := newMemory()
					store.set(t, "a", start.Add(-time.Minute))
					access := &core.Access{Subscribe: patterns, Publish: patterns, Origins: origins(t, strings.Fields(from.origins)...)}
					endpoint := core.NewEndpoint(store, core.Settings{Tries: 2, Sleep: time.Second, Access: access})
					r := httptest.NewRequest(test.method, "http://example.com/?"+test.query, strings.NewReader(test.body))
					r.Header.Set("Content-Type", form)
					if from.origin != "" {
						r.Header.Set("Origin", from.origin)
						r.Header.Set("Sec-Fetch-Site", "same-origin") // Here it is about reading.
					}
					w := httptest.NewRecorder()
					endpoint.ServeHTTP(w, r)
					h := w.Header()
					if w.Code != test.status || h.Get("Access-Control-Allow-Origin") != from.allowed || strings.Join(h.Values("Vary"), "|") != from.vary {
						t.Errorf("HTTP %d, header %v; want %d, %q, Vary: %q", w.Code, h, test.status, from.allowed, from.vary)
					}
					if h.Get("Access-Control-Allow-Credentials") != "" {
						t.Error("a page may read what only its visitor may")
					}
					preflight := test.method == "OPTIONS" && from.allowed != ""
					for name, value := range map[string]string{
						"Access-Control-Allow-Methods": "GET, POST, PUT, HEAD, OPTIONS",
						"Access-Control-Allow-Headers": "Content-Type, Last-Event-ID, Cache-Control", "Access-Control-Max-Age": "7200",
					} {
						if (h.Get(name) == value) != preflight || !preflight && h.Get(name) != "" {
							t.Errorf("%s: %q", name, h.Get(name))
						}
					}
				})
			})
		}
	}
}

func TestWhatIsNoOriginIsRefused(t *testing.T) {
	for _, site := range []string{"", "example.com", "null", "https://", "https://example.com/", "https://example.com/a", "https://example.com?", "https://a@example.com",
		"https://*.example.com", "**", "https://exämple.com", "//example.com", "https://a b", "file:///etc", "https://example.com:port", "https://example.com\r\nX: y"} {
		if _, err := core.ParseOrigins([]string{"https://a.example", site}); !errors.Is(err, core.ErrOrigin) || strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("%q: %v", site, err)
		}
	}
}
