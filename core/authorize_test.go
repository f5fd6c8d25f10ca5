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

// signed returns a token, as a parameter of a query.
func signed(expiry time.Time, pattern string) string {
	return "&token=" + coretest.Token(coretest.Secret, expiry.Unix(), pattern)
}

func newSigned(globs ...string) access.Signed {
	return coretest.Must(access.NewSigned(globs, []string{coretest.Secret}))
}

// asUser returns a handler that serves every request as this user's.
func asUser(e *core.Endpoint, rules access.Rules, user string) http.Handler {
	location := &core.Location{Access: rules}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.ServeHTTP(w, r.WithContext(core.WithLocation(r.Context(), location, core.Client{User: user})))
	})
}

// A page would wait in vain for an event that it may not see. So one such id refuses the whole poll.
func TestEndpoint_RefusesWhatTheRulesDoNotAllow(t *testing.T) {
	later := time.Now().Add(time.Hour)
	own := patterns("news", "user:<user>:*")
	subscribe := access.Rules{Subscribe: own}
	publish := access.Rules{Publish: own}
	tokens := access.Rules{Subscribe: own, Signed: newSigned("news")}
	get, post := access.Rules{Methods: []string{"GET"}}, access.Rules{Methods: []string{"POST"}}
	with := map[string]string{"GET": "GET, HEAD, ", "POST": "POST, PUT, "}
	for _, test := range []struct {
		name    string
		rules   access.Rules
		user    string
		request string // method and query
		status  int
		reason  string
	}{
		{"own events", subscribe, "ann", "GET subscribed[news]=now&subscribed[user:ann:1]=now", 200, ""},
		{"another's event", subscribe, "ann", "GET subscribed[news]=now&subscribed[user:bob:1]=now", 403,
			`subscribing to "user:bob:1" is not allowed to "ann"`},
		{"without a user", subscribe, "", "GET subscribed[user:ann:1]=now", 403,
			`subscribing to "user:ann:1" is not allowed without a login`},
		{"without a user, where a login does not help", subscribe, "", "GET subscribed[chat]=now", 403,
			`subscribing to "chat" is not allowed`},
		{"publications have rules of their own", subscribe, "ann", "GET publish=anything", 200, ""},
		{"own publication", publish, "ann", "GET publish=user:ann:1", 200, ""},
		{"another's publication", publish, "ann", "GET publish=user:bob:1", 403,
			`publishing "user:bob:1" is not allowed to "ann"`},
		{"HEAD of another's publication", publish, "ann", "HEAD publish=user:bob:1", 403, ""},
		{"subscriptions have rules of their own", publish, "", "GET subscribed[anything]=now", 200, ""},
		{"GET alone, by GET", get, "", "GET publish=a", 200, ""},
		{"GET alone, by HEAD", get, "", "HEAD publish=a", 200, ""},
		{"GET alone, by POST", get, "", "POST publish=a", 405, "publishing by POST is not allowed"},
		{"GET alone, by PUT", get, "", "PUT publish=a", 405, "publishing by PUT is not allowed"},
		{"GET alone, a poll by POST", get, "", "POST subscribed[a]=now", 200, ""},
		{"POST alone, by GET", post, "", "GET publish=a", 405, "publishing by GET is not allowed"},
		{"POST alone, by HEAD", post, "", "HEAD publish=a", 405, ""},
		{"POST alone, by POST", post, "", "POST publish=a", 200, ""},
		{"POST alone, by PUT", post, "", "PUT publish=a", 200, ""},
		{"no method", access.Rules{Methods: []string{}}, "", "POST publish=a", 405, "publishing by POST is not allowed"},
		{"a token", tokens, "", "GET subscribed[news]=now" + signed(later, "news"), 200, ""},
		{"no token", tokens, "", "GET subscribed[news]=now", 403, `subscribing to "news" needs a token: send token=`},
		{"a token for all", tokens, "", "GET subscribed[other]=now" + signed(later, "*"), 403, `"other" is not allowed`},
		{"100 tokens", tokens, "", "GET subscribed[news]=now" + numbered(99, "&token=%d") + signed(later, "news"), 200, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			memory := coretest.NewMemory()
			method, query, _ := strings.Cut(test.request, " ")
			w := httptest.NewRecorder()
			asUser(newEndpoint(memory, core.Location{}), test.rules, test.user).
				ServeHTTP(w, httptest.NewRequest(method, "/?"+query, nil))
			body := strings.ReplaceAll(w.Body.String(), `\"`, `"`)
			if w.Code != test.status || !strings.Contains(body, test.reason) {
				t.Errorf("HTTP %d %s; want %d %s", w.Code, body, test.status, test.reason)
			}
			published := strings.HasPrefix(query, "publish=") && test.status == 200 && method != http.MethodHead
			if len(memory.Stamps()) != 0 != published {
				t.Errorf("published: %v; want %v", memory.Stamps(), published)
			}
			allow := ""
			if test.status == http.StatusMethodNotAllowed {
				allow = with[strings.Join(test.rules.Methods, "")] + "OPTIONS"
			}
			if got := w.Header().Get("Allow"); got != allow {
				t.Errorf("Allow: %q; want %q", got, allow)
			}
		})
	}
}

func TestEndpoint_RefusesFormatsThatTheRulesDoNotAllow(t *testing.T) {
	raw := []access.Format{access.Raw}
	closed := access.Rules{Publish: patterns("chat"), Formats: raw}
	const stream = "text/event-stream"
	for _, test := range []struct {
		name, method, query, accept string
		rules                       access.Rules
		status                      int
		reason                      string
	}{
		{"allowed", "GET", "subscribed[news]=0.0&format=raw", stream, closed, 200, ""},
		{"in a form", "POST", "subscribed[news]=0.0&format=raw", stream, closed, 200, ""},
		{"an event that visitors publish", "GET", "subscribed[news]=0.0&subscribed[chat]=0.0&format=raw", stream, closed, 403,
			`format=raw is not allowed for "chat": visitors may publish it by URL (publish.allow)`},
		{"in a form, an event that visitors publish", "POST", "subscribed[chat]=0.0&format=raw", stream, closed, 403,
			`"chat"`},
		{"the same event in JSON", "GET", "subscribed[chat]=0.0", stream, closed, 200, ""},
		{"by default", "GET", "subscribed[news]=0.0&format=raw", stream, access.Rules{}, 403,
			"format=raw is not allowed here (stream.formats)"},
		{"HEAD", "HEAD", "subscribed[chat]=0.0&format=raw", stream, closed, 403, ""},
		{"a poll", "GET", "subscribed[news]=0.0&format=raw", "*/*", closed, 400,
			"format=raw is for streams: send Accept: text/event-stream"},
		{"an unknown format", "GET", "subscribed[news]=0.0&format=html", stream, closed, 400, "give raw or turbo"},
	} {
		t.Run(test.name, func(t *testing.T) {
			memory := coretest.NewMemory()
			memory.Set("news", time.Unix(5, 0))
			r := httptest.NewRequest(test.method, "/?"+test.query, nil)
			if test.method == http.MethodPost {
				r = httptest.NewRequest(test.method, "/", strings.NewReader(test.query))
				r.Header.Set("Content-Type", form)
			}
			r.Header.Set("Accept", test.accept)
			w := httptest.NewRecorder()
			newEndpoint(memory, core.Location{Access: test.rules}).ServeHTTP(unflushed{w}, r)
			body := strings.ReplaceAll(w.Body.String(), `\"`, `"`)
			if w.Code != test.status || !strings.Contains(body, test.reason) {
				t.Errorf("HTTP %d %s; want %d %s", w.Code, body, test.status, test.reason)
			}
		})
	}
}

// The token lets the poll in. Then the poll waits to its end.
func TestEndpoint_LetsAPollWaitAfterItsTokenExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := coretest.NewMemory()
		rules := access.Rules{Signed: newSigned("*")}
		endpoint := newEndpoint(memory, core.Location{Tries: 20, Sleep: time.Second, Access: rules})
		query := "subscribed[a]=now" + signed(time.Now().Add(5*time.Second), "a")
		time.AfterFunc(10*time.Second, func() { memory.Set("a", time.Now()) })
		if status, body := ask(t, endpoint, query); status != 200 || !strings.Contains(body, `{"s":1`) {
			t.Errorf("HTTP %d %s", status, body)
		}
		if status, _ := ask(t, endpoint, query); status != 403 {
			t.Errorf("the next poll: HTTP %d; want 403", status)
		}
	})
}

func TestEndpoint_LimitsThePublicationsOfAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endpoint := withAccess(access.Rules{Rate: coretest.Must(access.ParseRate("2/m"))})
		try := func(wantStatus int, wantRetry, method, query, address string, header ...string) {
			t.Helper()
			r := newRequest(method, query, header...)
			r.RemoteAddr = address
			w := httptest.NewRecorder()
			endpoint.ServeHTTP(w, r)
			if retry := w.Header().Get("Retry-After"); w.Code != wantStatus || retry != wantRetry {
				t.Errorf("%s %s: HTTP %d %s, Retry-After: %q; want %d, %q",
					method, query, w.Code, w.Body, retry, wantStatus, wantRetry)
			}
		}
		const first, second = "192.0.2.1:1", "192.0.2.2:1"
		for range 3 { // None of these uses up the rate.
			try(200, "", "GET", "subscribed[a]=1.0", first)
			try(200, "", "HEAD", "publish=a", first)
			try(403, "", "GET", "publish=a", first, "Sec-Fetch-Site", "cross-site")
			try(400, "", "GET", "publish=.a", first)
		}
		try(200, "", "GET", "publish=a", first)
		try(200, "", "POST", "publish=b", first)
		try(429, "30", "GET", "publish=a", first)
		try(200, "", "GET", "publish=a", second)
		try(200, "", "GET", "subscribed[a]=1.0", first)
		time.Sleep(29500 * time.Millisecond)
		try(429, "1", "GET", "publish=a", first)
		time.Sleep(500 * time.Millisecond)
		try(200, "", "GET", "publish=a", first)
	})
}
