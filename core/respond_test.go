package core_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"novcomet/core"
	"novcomet/core/access"
	"novcomet/core/internal/coretest"
	"novcomet/core/metrics"
	"novcomet/core/store"
)

func TestEndpoint_CountsErrorsByStatus(t *testing.T) {
	memory := coretest.NewMemory()
	counters := new(metrics.Metrics)
	endpoint := core.NewEndpoint(memory, core.Options{Log: coretest.Discard, Metrics: counters})
	for _, query := range []string{"", "publish=../etc/passwd", "subscribed[a]=1.x", "publish=a"} {
		ask(t, endpoint, query)
	}
	send(t, endpoint, httptest.NewRequest(http.MethodDelete, "/?publish=a", nil))
	memory.Fail(store.ErrUnavailable)
	ask(t, endpoint, "publish=a")
	memory.Fail(errors.New("not a regular file"))
	ask(t, endpoint, "publish=a") // comet.php's answer is false with HTTP 200.
	got := counters.Snapshot()
	if want := map[int]uint64{400: 3, 405: 1, 503: 1}; !reflect.DeepEqual(got.HTTPErrors, want) {
		t.Errorf("%v; want %v", got.HTTPErrors, want)
	}
	if got.Publications != 1 || got.PublishFailures != 2 {
		t.Errorf("%d publications succeeded and %d failed; want 1 and 2", got.Publications, got.PublishFailures)
	}
}

// A token in a log would let its reader in.
func TestEndpoint_LogsRefusalsForDebuggingWithoutTheRequest(t *testing.T) {
	var text strings.Builder
	log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
	location := core.Location{Access: access.Rules{Signed: newSigned("*")}}
	endpoint := core.NewEndpoint(coretest.NewMemory(), core.Options{Location: location, Log: log})
	ask(t, endpoint, "subscribed[a]=now&token=sesame")
	if got := text.String(); !strings.Contains(got, "level=DEBUG") || !strings.Contains(got, "needs a token") ||
		strings.Contains(got, "sesame") {
		t.Errorf("logged %q", got)
	}
}

func TestWriteJSON_AnswersAsEndpointDoes(t *testing.T) {
	for _, test := range []struct {
		value  any
		status int
		body   string
	}{
		{map[string]int{"a": 1}, 200, `{"a":1}`},
		{func() {}, 500, `{"error":"json: unsupported type: func()"}`},
	} {
		w := httptest.NewRecorder()
		core.WriteJSON(w, test.value)
		if w.Code != test.status || w.Body.String() != test.body {
			t.Errorf("HTTP %d %s; want %d %s", w.Code, w.Body, test.status, test.body)
		}
		checkHeaders(t, w.Header(), w.Code)
	}
}
