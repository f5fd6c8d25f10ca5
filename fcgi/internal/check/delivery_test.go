package check_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"novcomet/core/access"
	"novcomet/fcgi/internal/check"
)

// Behind the URL are two processes, each with a store of its own.
func TestDelivery_APublicationThatIsNotSeenIsAProblem(t *testing.T) {
	t.Parallel()
	polls, _ := endpoint(t, access.Rules{})
	publications, _ := endpoint(t, access.Rules{})
	both := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "publish=") {
			publications.ServeHTTP(w, r)
			return
		}
		polls.ServeHTTP(w, r)
	})
	wantFinding(t, installation{url: serve(t, both)}.check(t), check.Problem, "delivery", "not seen through the URL")
}

func TestDelivery_TimeoutIsTestedOnlyAsLongAsWait(t *testing.T) {
	t.Parallel()
	e, directory := endpoint(t, access.Rules{})
	env := []string{"COMET_FILE_DIRECTORY=" + directory}
	r := installation{url: serve(t, e), wait: 50 * time.Millisecond, env: env}.check(t)
	wantFinding(t, r, check.OK, "time-out", "50ms at least", "--wait")
}

func TestDelivery_ACacheIsFound(t *testing.T) {
	t.Parallel()
	e, directory := endpoint(t, access.Rules{Publish: patterns(t)})
	var cache sync.Map // from the query of a poll to its answer
	cached := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.RawQuery, "wait=0") {
			e.ServeHTTP(w, r)
			return
		}
		answer, found := cache.Load(r.URL.RawQuery)
		if !found {
			recorder := httptest.NewRecorder()
			e.ServeHTTP(recorder, r)
			answer, _ = cache.LoadOrStore(r.URL.RawQuery, recorder.Body.String())
		}
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprint(w, answer)
	})
	r := installation{url: serve(t, cached), env: []string{"COMET_FILE_DIRECTORY=" + directory}}.check(t)
	wantFinding(t, r, check.OK, "publish", "HTTP 403")
	wantFinding(t, r, check.Problem, "cache", "same answer after a publication", "fastcgi_cache")
}

// The store of the settings is another one: the check runs on another machine.
func TestDelivery_IsTestedByURLIfEverybodyMayPublish(t *testing.T) {
	t.Parallel()
	e, _ := endpoint(t, access.Rules{})
	r := installation{url: serve(t, e)}.check(t)
	wantFinding(t, r, check.OK, "delivery", "after a publication")
	wantFinding(t, r, check.OK, "stream", "an event after")
}

// The check's long poll waits for another event.
func TestDelivery_AnEarlyAnswerIsJudgedByItsReason(t *testing.T) {
	t.Parallel()
	const json = "application/json"
	for name, test := range map[string]struct {
		answer  http.HandlerFunc // to the poll that waits for a publication
		env     string
		verdict check.Verdict
		words   []string
	}{
		"a failure": {respond(500, "text/html", "<html>"), "", check.Problem, []string{"a waiting poll fails", "error log"}},
		"another program publishes": {respond(200, json, `{"s":1,"k":{"X":"9.0"},"at":{"X":"9.0"}}`), "",
			check.OK, []string{"not tested: another program publishes"}},
		"a short wait": {respond(200, json, `{"s":0,"at":{"X":"9.0"}}`), "COMET_SLEEP=20ms",
			check.OK, []string{"not tested", "only for 200ms"}},
		"too many wait": {respond(200, json, `{"s":0,"at":{"X":"9.0"}}`), "",
			check.Problem, []string{"max_waiting is reached"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, directory := endpoint(t, access.Rules{})
			early := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				query, _ := url.QueryUnescape(r.URL.RawQuery)
				if !strings.Contains(query, "subscribed[X]") || strings.Contains(query, "wait=0") ||
					r.Header.Get("Accept") == "text/event-stream" {
					e.ServeHTTP(w, r)
					return
				}
				test.answer(w, r)
			})
			r := installation{url: serve(t, early), event: "X", env: []string{"COMET_FILE_DIRECTORY=" + directory, test.env}}
			wantFinding(t, r.check(t), test.verdict, "delivery", test.words...)
		})
	}
}

func TestDelivery_ABufferedStreamIsAProblem(t *testing.T) {
	t.Parallel()
	e, directory := endpoint(t, access.Rules{})
	buffering := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") == "text/event-stream" {
			<-r.Context().Done()
			return
		}
		e.ServeHTTP(w, r)
	})
	r := installation{url: serve(t, buffering), env: []string{"COMET_FILE_DIRECTORY=" + directory}}.check(t)
	wantFinding(t, r, check.Problem, "stream", "nothing arrives within 5.5s", "buffering")
}
