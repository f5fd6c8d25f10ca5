package core_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

const (
	form    = "application/x-www-form-urlencoded"
	methods = "GET, POST, PUT, HEAD, OPTIONS"
)

func TestEachKindOfRequestHasItsAnswer(t *testing.T) {
	longList := strings.Repeat("subscribed[a]=1&", 512) // 8 KB
	for _, test := range []struct {
		name, method, query, contentType, body string
		status                                 int
		answer                                 string // a regular part of it
		published                              string
	}{
		{name: "a publication", query: "publish=a", status: 200, answer: "true", published: "a"},
		{name: "a publication by POST", method: "POST", query: "publish=a", status: 200, answer: "true", published: "a"},
		{name: "a publication in a form", method: "POST", contentType: form, body: "publish=a", status: 200, answer: "true", published: "a"},
		{name: "a publication in a form, in UTF-8", method: "POST", contentType: form + "; charset=UTF-8", body: "publish=%C3%A9", status: 200, answer: "true", published: "é"},
		{name: "a publication that is a poll, too", query: "subscribed[x]=1&publish=a", status: 200, answer: "true", published: "a"},
		{name: "an id with a quote and a tag", query: "publish=a'<b>", status: 200, answer: "true", published: "a'<b>"},
		{name: "a poll", query: "subscribed[known]=1", status: 200, answer: `{"s":1,"k":{"known":946684700}}`},
		{name: "the old client's poll", query: "&subscribed[known]=1&subscribed[b]=946684800&946684800", status: 200, answer: `{"s":1,"k":{"known":946684700}}`},
		{name: "a poll with encoded brackets", query: "subscribed%5Bknown%5D=1", status: 200, answer: `{"s":1,"k":{"known":946684700}}`},
		{name: "a poll in a form", method: "POST", query: "&1763800000", contentType: form, body: "subscribed[known]=1", status: 200, answer: `{"s":1,"k":{"known":946684700}}`},
		{name: "a form whose query asks already", method: "POST", query: "subscribed[known]=1", contentType: form, body: "publish=a", status: 200, answer: `{"s":1,"k":{"known":946684700}}`},
		{name: "a body that is no form", method: "POST", contentType: "application/json", body: `{"publish":"a"}`, status: 415, answer: `application/x-www-form-urlencoded, not as "application/json"`},
		{name: "a form with parts", method: "POST", contentType: "multipart/form-data; boundary=x", body: "--x", status: 415, answer: `application/x-www-form-urlencoded, not as "multipart/form-data`},
		{name: "a body that is no form behind a query that asks nothing", method: "POST", query: "x=1", contentType: "text/plain", body: "publish=a", status: 415, answer: "text/plain"},
		{name: "no body at all", method: "POST", contentType: "text/plain", status: 400, answer: "subscribed[ID]=T"},
		{name: "a poll of ids 0 and 1", query: "subscribed[0]=-1&subscribed[known]=1", status: 200, answer: `{"s":1,"k":{"known":946684700}}`},
		{name: "a poll without a subscription", query: "&1763800000", status: 200, answer: `{"s":0}`},
		{name: "a poll with 8 KB of query", query: longList + "subscribed[known]=1", status: 200, answer: `"known":946684700`},
		{name: "nothing", status: 400, answer: "publish=ID"},
		{name: "nothing, by POST", method: "POST", contentType: form, status: 400, answer: "publish=ID"},
		{name: "a bad id", query: "publish=../../etc/passwd", status: 400, answer: "../../etc/passwd"},
		{name: "a bad id among good ones", query: "subscribed[known]=1&subscribed[a/b]=1", status: 400, answer: "a/b"},
		{name: "a bad id in a form", method: "POST", contentType: form, body: "publish=.hidden", status: 400, answer: ".hidden"},
		{name: "nesting", query: "subscribed[a][b]=1", status: 400, answer: "subscribed[a][b]"},
		{name: "a bad cursor", query: "subscribed[a]=1.2.3", status: 400, answer: "1.2.3"},
		{name: "a form of 1 MB", method: "POST", contentType: form, body: "publish=a&x=" + strings.Repeat("x", 1<<20), status: 413, answer: "too large"},
		{name: "HEAD of a publication", method: "HEAD", query: "publish=a", status: 200},
		{name: "HEAD of a poll", method: "HEAD", query: "subscribed[nothing]=now", status: 200},
		{name: "OPTIONS", method: "OPTIONS", query: "publish=a", status: 204},
		{name: "PUT with data", method: "PUT", query: "publish=a", body: "x", status: 200, answer: "true", published: "a"},
		{name: "PUT of a form", method: "PUT", contentType: form, body: "publish=a", status: 400, answer: "?publish=ID"},
		{name: "PUT of a poll", method: "PUT", query: "subscribed[known]=1", status: 400, answer: "?publish=ID"},
		{name: "data beyond the limit", method: "POST", query: "publish=a", body: strings.Repeat("x", core.DefaultMaxData+1), status: 413, answer: "too large"},
		{name: "DELETE", method: "DELETE", query: "publish=a", status: 405, answer: methods},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemory()
				store.set(t, "known", start.Add(-100*time.Second))
				endpoint := core.NewEndpoint(store, core.Settings{Tries: 3, Sleep: time.Second})
				method := test.method
				if method == "" {
					method = http.MethodGet
				}
				r := httptest.NewRequest(method, "/comet.php?"+test.query, strings.NewReader(test.body))
				r.Header.Set("Content-Type", test.contentType)
				w := httptest.NewRecorder()
				endpoint.ServeHTTP(w, r)

				body := w.Body.String()
				var parsed any
				if err := json.Unmarshal(w.Body.Bytes(), &parsed); err != nil && body != "" {
					t.Errorf("%q is no JSON: %v", body, err)
				}
				if object, ok := parsed.(map[string]any); ok && object["error"] != nil {
					body = object["error"].(string)
				}
				if w.Code != test.status || !strings.Contains(body, test.answer) || (test.answer == "") != (body == "") {
					t.Errorf("HTTP %d %s; want %d %s", w.Code, body, test.status, test.answer)
				}
				for id := range store.stamps {
					if id.String() != "known" && id.String() != test.published {
						t.Errorf("published %q", id)
					}
				}
				if test.published != "" && store.stamps[mustID(t, test.published)] == 0 {
					t.Errorf("%q is not published", test.published)
				}
				checkHeaders(t, w.Header(), test.status)
			})
		})
	}
}

func checkHeaders(t *testing.T, h http.Header, status int) {
	t.Helper()
	want := map[string]string{
		"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
	}
	switch status {
	case http.StatusNoContent:
		want = map[string]string{"Allow": methods}
	case http.StatusMethodNotAllowed:
		want["Allow"] = methods
	}
	for name, value := range want {
		if h.Get(name) != value {
			t.Errorf("%s: %q; want %q", name, h.Get(name), value)
		}
	}
}

// comet.php's clients take false for an answer; that the store is gone is another matter, and monitors should see it.
func TestAPublicationThatFailsIsFalse(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
	}{
		{errors.New("not a regular file"), 200},
		{fmt.Errorf("%w: no such directory", core.ErrUnavailable), 503},
	} {
		store := newMemory()
		store.fail(test.err)
		endpoint := core.NewEndpoint(store, core.Settings{})
		log, lines := recorded()
		endpoint.Log = log
		status, body := ask(t, endpoint, "publish=the+event")
		if status != test.status || body != "false" {
			t.Errorf("%v: HTTP %d %s; want %d false", test.err, status, body, test.status)
		}
		if got := lines(); len(got) != 1 || !strings.Contains(got[0], "the event") || !strings.Contains(got[0], test.err.Error()) {
			t.Errorf("logged %q; want one line with the event and the reason", got)
		}
	}
}

func TestIDsAreJSONStringsInAnswersWhateverTheyContain(t *testing.T) {
	store := newMemory()
	endpoint := core.NewEndpoint(store, core.Settings{})
	for _, name := range []string{`a"b`, `back\slash`, "<script>", "日本", "a&b", "\u2028", "0"} {
		store.set(t, name, time.Unix(5, 0))
		q := core.Query{MaxWait: -1, Subscriptions: []core.Subscription{{ID: mustID(t, name)}}}
		_, body := ask(t, endpoint, strings.TrimSuffix(q.Encode(), "0")+"0.0")
		var answer struct {
			K  map[string]float64
			At map[string]string
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.K[name] != 5 || answer.At[name] != "5.000000" {
			t.Errorf("%q is answered with %s, %v", name, body, err)
		}
	}
}

func TestAThousandIDsInOneQuery(t *testing.T) {
	store := newMemory()
	endpoint := core.NewEndpoint(store, core.Settings{})
	var query strings.Builder
	for i := range core.MaxSubscriptions {
		name := fmt.Sprintf("event %d", i)
		store.set(t, name, time.Unix(int64(i)+1, 0))
		fmt.Fprintf(&query, "subscribed[%s]=0.0&", strings.ReplaceAll(name, " ", "+"))
	}
	_, body := ask(t, endpoint, query.String())
	var answer struct{ K map[string]float64 }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.K) != core.MaxSubscriptions || answer.K["event 999"] != 1000 {
		t.Errorf("%d events in the answer, %v", len(answer.K), err)
	}
	if status, body := ask(t, endpoint, query.String()+"subscribed[more]=0.0"); status != 400 || !strings.Contains(body, "1000") {
		t.Errorf("one more: HTTP %d %s; want 400 that names the limit", status, body)
	}
}

func TestABodyThatBreaksOffIsABadRequest(t *testing.T) {
	endpoint := core.NewEndpoint(newMemory(), core.Settings{})
	r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("publish="), brokenReader{}))
	r.Header.Set("Content-Type", form)
	if status, body := send(t, endpoint, r); status != 400 || !strings.Contains(body, "unexpected EOF") {
		t.Errorf("HTTP %d %s; want 400 that says so", status, body)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestEndpoint_AsksWhetherPollsCanWaitOnlyBeforeOneDoes(t *testing.T) {
	for _, test := range []struct {
		name, query, accept string
		asks                bool
	}{
		{"a publication", "publish=a", "", false},
		{"a poll that does not wait", "subscribed[a]=now&wait=0", "", false},
		{"a bad request", "subscribed[a]=1.x", "", false},
		{"a poll", "subscribed[a]=now", "", true},
		{"a whole-second poll", "subscribed[a]=1", "", true},
		{"a stream", "subscribed[a]=now", "text/event-stream", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			endpoint := core.NewEndpoint(newMemory(), core.Settings{Tries: 20, Sleep: time.Second})
			log, lines := recorded()
			endpoint.Log = log
			asked := false
			endpoint.BeforeWait = func() error {
				asked = true
				return errors.New("the disk is on fire")
			}
			r := httptest.NewRequest(http.MethodGet, "/comet.php?"+test.query, nil)
			r.Header.Set("Accept", test.accept)
			w := httptest.NewRecorder()
			endpoint.ServeHTTP(w, r)
			if asked != test.asks || (w.Code == 500) != test.asks {
				t.Errorf("asked: %v; HTTP %d %s; want %v", asked, w.Code, w.Body, test.asks)
			}
			if strings.Contains(w.Body.String(), "fire") {
				t.Errorf("the visitor reads %s", w.Body)
			}
			if logged := strings.Join(lines(), ""); strings.Contains(logged, "on fire") != test.asks {
				t.Errorf("logged %q", logged)
			}
		})
	}
}
