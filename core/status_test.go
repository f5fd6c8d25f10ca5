package core_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/access"
	"novcomet/core/internal/coretest"
)

func TestEndpoint_AnswersAtAStatusLocationOnlyWithMetrics(t *testing.T) {
	memory := coretest.NewMemory()
	rules := access.Rules{Origins: origins("*")}
	endpoint := newEndpoint(memory, core.Location{Tries: 20, Sleep: 2 * time.Second, Status: true, Access: rules})
	for _, test := range []struct {
		request string // method and query
		status  int
	}{
		{"GET ", 200}, {"GET publish=a", 200}, {"GET subscribed[a]=now", 200}, {"GET &1", 200}, {"HEAD ", 200},
		{"POST publish=a", 405}, {"PUT publish=a", 405}, {"OPTIONS publish=a", 405}, {"DELETE publish=a", 405},
	} {
		method, query, _ := strings.Cut(test.request, " ")
		r := httptest.NewRequest(method, "/?"+query, strings.NewReader("publish=a"))
		r.Header.Set("Accept", "text/event-stream")
		if opened := endpoint.Open(r); opened.Subscriber != nil || opened.Publishes { // It must not wait for others.
			t.Errorf("%s: it is opened as a poll, or as a publication", test.request)
		}
		w := httptest.NewRecorder()
		endpoint.ServeHTTP(w, r)
		var metrics struct{ Waiting *int }
		if err := json.Unmarshal(w.Body.Bytes(), &metrics); w.Code != test.status || err != nil {
			t.Errorf("%s: HTTP %d %s", test.request, w.Code, w.Body)
		}
		if (metrics.Waiting != nil) != (test.status == http.StatusOK) {
			t.Errorf("%s: answered %s", test.request, w.Body)
		}
		if allowed := w.Header().Get("Access-Control-Allow-Origin"); allowed != "" {
			t.Errorf("%s: pages of %q may read it", test.request, allowed)
		}
	}
	if len(memory.Stamps()) != 0 {
		t.Errorf("published %v", memory.Stamps())
	}
}

func TestOptions_StatusReplacesTheMetrics(t *testing.T) {
	mine := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { core.WriteJSON(w, "mine") })
	options := core.Options{Location: core.Location{Status: true}, Status: mine}
	endpoint := core.NewEndpoint(coretest.NewMemory(), options)
	if status, body := ask(t, endpoint, "publish=a"); status != http.StatusOK || body != `"mine"` {
		t.Errorf("HTTP %d %s", status, body)
	}
}
