package core_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
	"novcomet/core/access"
	"novcomet/core/internal/coretest"
)

const methods = "GET, POST, PUT, HEAD, OPTIONS"

func TestEndpoint_AnswersEachKindOfRequest(t *testing.T) {
	const known = `{"s":1,"k":{"known":946684700}}`
	const noForm = "application/x-www-form-urlencoded, not as "
	for _, test := range []struct {
		name, request     string // method and query
		contentType, body string
		status            int
		answer            string // a part of it
		published         string
	}{
		{"a publication", "GET publish=a", "", "", 200, "true", "a"},
		{"a publication by POST", "POST publish=a", "", "", 200, "true", "a"},
		{"a publication in a form", "POST ", form, "publish=a", 200, "true", "a"},
		{"a publication in a form of UTF-8", "POST ", form + "; charset=UTF-8", "publish=%C3%A9", 200, "true", "é"},
		{"a publication and a poll", "GET subscribed[x]=1&publish=a", "", "", 200, "true", "a"},
		{"a poll", "GET subscribed[known]=1", "", "", 200, known, ""},
		{"a poll by comet.php's client", "GET &subscribed[known]=1&subscribed[b]=946684800&9", "", "", 200, known, ""},
		{"a poll in a form", "POST &1763800000", form, "subscribed[known]=1", 200, known, ""},
		{"a form after a complete query", "POST subscribed[known]=1", form, "publish=a", 200, known, ""},
		{"JSON instead of a form", "POST ", "application/json", `{"publish":"a"}`, 415, noForm + `"application/json"`, ""},
		{"a form with parts", "POST ", "multipart/form-data; boundary=x", "--x", 415, noForm + `"multipart/form-data`, ""},
		{"text after a query that asks for nothing", "POST x=1", "text/plain", "publish=a", 415, "text/plain", ""},
		{"no body", "POST ", "text/plain", "", 400, "subscribed[ID]=T", ""},
		{"a poll without subscriptions", "GET &1763800000", "", "", 200, `{"s":0}`, ""},
		{"a query of 8 KB", "GET " + strings.Repeat("subscribed[a]=1&", 512) + "subscribed[known]=1", "", "", 200, known, ""},
		{"nothing", "GET ", "", "", 400, "publish=ID", ""},
		{"an empty form", "POST ", form, "", 400, "publish=ID", ""},
		{"a bad id", "GET publish=../../etc/passwd", "", "", 400, "../../etc/passwd", ""},
		{"a bad id in a form", "POST ", form, "publish=.hidden", 400, ".hidden", ""},
		{"a form of 1 MB", "POST ", form, "publish=a&x=" + strings.Repeat("x", 1<<20), 413, "too large", ""},
		{"HEAD of a publication", "HEAD publish=a", "", "", 200, "", ""},
		{"HEAD of a poll", "HEAD subscribed[nothing]=now", "", "", 200, "", ""},
		{"OPTIONS", "OPTIONS publish=a", "", "", 204, "", ""},
		{"PUT with data", "PUT publish=a", "", "x", 200, "true", "a"},
		{"PUT of a form", "PUT ", form, "publish=a", 400, "?publish=ID", ""},
		{"PUT of a poll", "PUT subscribed[known]=1", "", "", 400, "?publish=ID", ""},
		{"data that is too large", "POST publish=a", "", strings.Repeat("x", core.DefaultMaxData+1), 413, "too large", ""},
		{"DELETE", "DELETE publish=a", "", "", 405, methods, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := coretest.NewMemory()
				store.Set("known", coretest.Start.Add(-100*time.Second))
				method, query, _ := strings.Cut(test.request, " ")
				r := httptest.NewRequest(method, "/comet.php?"+query, strings.NewReader(test.body))
				r.Header.Set("Content-Type", test.contentType)
				w := httptest.NewRecorder()
				newEndpoint(store, core.Location{Tries: 3, Sleep: time.Second}).ServeHTTP(w, r)

				body := w.Body.String()
				if failed := new(struct{ Error string }); test.status >= 400 {
					if err := json.Unmarshal(w.Body.Bytes(), failed); err != nil || failed.Error == "" {
						t.Errorf("%q is not an error in JSON: %v", body, err)
					}
					body = failed.Error
				}
				if w.Code != test.status || !strings.Contains(body, test.answer) || (test.answer == "") != (body == "") {
					t.Errorf("HTTP %d %s; want %d %s", w.Code, body, test.status, test.answer)
				}
				stamps := store.Stamps()
				delete(stamps, "known")
				if published := slices.Collect(maps.Keys(stamps)); strings.Join(published, " ") != test.published {
					t.Errorf("published %q; want %q", published, test.published)
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

func TestEndpoint_RejectsABodyThatCannotBeDelivered(t *testing.T) {
	const levels = 102
	deep := strings.Repeat(`{"a":[`, levels/2) + strings.Repeat(`]}`, levels/2)
	for _, test := range []struct {
		name, coding, query, body string
		status                    int
		answer                    string
	}{
		{"gzip", "gzip", "publish=a", "\x1f\x8b\x08\x00", 415, `Content-Encoding is \"gzip\"`},
		{"one encoding of several", "identity, br", "publish=a", "1", 415, `Content-Encoding is \"br\"`},
		{"a compressed form", "deflate", "", "subscribed[a]=now", 415, `Content-Encoding is \"deflate\"`},
		{"identity", "Identity", "publish=a", "1", 200, "true"},
		{"gzip that is not declared", "", "publish=a", "\x1f\x8b\x08\x00", 415, "send binary data as base64"},
		{"Latin-1", "", "publish=a", "Gr\xfc\xdfe", 415, "convert it to UTF-8"},
		{"UTF-8", "", "publish=a", "Grüße", 200, "true"},
		{"JSON of too many levels", "", "publish=a", deep, 400, "deeper than 100 levels"},
		{"as long as allowed", "", "publish=a", strings.Repeat("x", 1000), 200, "true"},
		{"too long", "", "publish=a", strings.Repeat("x", 1001), 413, "too large"},
		{"as long as a form may be", "", "", "subscribed[a]=0.0&wait=0&x=" + strings.Repeat("x", 73), 200, `"s":0`},
		{"a form that is too long", "", "", "subscribed[a]=0.0&wait=0&x=" + strings.Repeat("x", 74), 413, "too large"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, method := range []string{http.MethodPost, http.MethodPut} {
				if test.query == "" && method == http.MethodPut {
					continue // PUT reads no form.
				}
				store, limits := coretest.NewMemory(), core.Limits{MaxForm: 100}
				limits.MaxData = 1000
				endpoint := core.NewEndpoint(store, core.Options{Limits: limits})
				r := httptest.NewRequest(method, "/?"+test.query, strings.NewReader(test.body))
				r.Header.Set("Content-Encoding", test.coding)
				r.Header.Set("Content-Type", form)
				status, body := send(t, endpoint, r)
				published := len(store.Stamps()) != 0
				if status != test.status || !strings.Contains(body, test.answer) {
					t.Errorf("%s: HTTP %d %s; want %d %s", method, status, body, test.status, test.answer)
				}
				if want := test.status == http.StatusOK && test.query != ""; published != want {
					t.Errorf("%s: published: %v; want %v", method, published, want)
				}
			}
		})
	}
}

func TestEndpoint_RejectsABodyThatDoesNotArrive(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
	}{
		{io.ErrUnexpectedEOF, 400},
		{fmt.Errorf("read: %w", os.ErrDeadlineExceeded), 408},
	} {
		for _, query := range []string{"", "publish=b"} {
			store := coretest.NewMemory()
			sent := io.MultiReader(strings.NewReader("publish=a"), brokenReader{test.err})
			r := httptest.NewRequest(http.MethodPost, "/?"+query, sent)
			r.Header.Set("Content-Type", form)
			status, body := send(t, newEndpoint(store, core.Location{}), r)
			if status != test.status || !strings.Contains(body, test.err.Error()) || len(store.Stamps()) != 0 {
				t.Errorf("%q: HTTP %d %s, published: %v; want %d %v", query, status, body, store.Stamps(), test.status, test.err)
			}
		}
	}
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

func TestOpen_SaysWhatBecomesOfARequest(t *testing.T) {
	endpoint := withAccess(access.Rules{Publish: patterns("a")})
	for _, test := range []struct {
		request                       string // method, query, type that is accepted
		publishes, subscribes, stream bool
	}{
		{"GET subscribed[a]=now", false, true, false},
		{"GET subscribed[a]=now text/event-stream", false, true, true},
		{"GET publish=a", true, false, false},
		{"PUT publish=a text/event-stream", true, false, false},
		{"GET publish=b", true, false, false}, // It will be refused.
		{"HEAD publish=a", false, false, false},
		{"HEAD subscribed[a]=now text/event-stream", false, false, false},
		{"GET subscribed[a/b]=now text/event-stream", false, false, false},
		{"DELETE subscribed[a]=now", false, false, false},
	} {
		parts := append(strings.Fields(test.request), "")
		r := httptest.NewRequest(parts[0], "/?"+parts[1], nil)
		r.Header.Set("Accept", parts[2])
		opened := endpoint.Open(r)
		s := opened.Subscriber
		subscribes, hasHandler := s != nil, opened.Handler != nil
		if opened.Publishes != test.publishes || subscribes != test.subscribes || hasHandler == test.subscribes {
			t.Errorf("%s: %+v", test.request, opened)
		}
		if subscribes && s.IsStream() != test.stream {
			t.Errorf("%s: a stream: %v; want %v", test.request, s.IsStream(), test.stream)
		}
	}
}

func TestRefuse_AnswersAsEndpointDoes(t *testing.T) {
	endpoint, location := withAccess(access.Rules{}), core.Location{Access: access.Rules{Origins: origins("*")}}
	w := httptest.NewRecorder()
	endpoint.Refuse(&location, "", http.StatusRequestEntityTooLarge, "too many variables").ServeHTTP(w, nil)
	h := w.Header()
	want := `{"error":"too many variables"}`
	if w.Code != 413 || w.Body.String() != want || h.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("HTTP %d %s %v", w.Code, w.Body, h)
	}
	checkHeaders(t, h, w.Code)
	if n := endpoint.Metrics().Snapshot().HTTPErrors[413]; n != 1 {
		t.Errorf("counted %d times", n)
	}
}
