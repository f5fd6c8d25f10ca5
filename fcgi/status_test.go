package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// shown are the variables of a request at a status location.
func shown(accept string) map[string]string {
	variables := asked("publish=nothing")
	variables["COMET_STATUS"] = "on"
	variables["HTTP_ACCEPT"] = accept
	return variables
}

// wantWaiting waits until so many polls and streams wait in the process that listens at the path.
func wantWaiting(t *testing.T, path string, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d polls wait", n), func() bool {
		return strings.Contains(ask(t, path, shown("*/*"), "").body, fmt.Sprintf(`"waiting":%d,`, n))
	})
}

// status asks the server for its figures.
func (s *server) shows(t *testing.T, accept string) (header http.Header, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	opened := s.handler.Open(context.Background(), shown(accept), strings.NewReader(""))
	if opened.Handler == nil {
		t.Fatal("a status location has to answer at once")
	}
	opened.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("HTTP %d %s", w.Code, w.Body)
	}
	return w.Header(), w.Body.String()
}

func TestAStatusLocationShowsTheFiguresThroughTheSocket(t *testing.T) {
	t.Parallel()
	_, path := served(t, t.TempDir(), "COMET_TRIES=4000") // It waits for longer than anybody looks.
	waiting := connect(t, path)
	waiting.send(t, sentRequest(1, 0, asked("subscribed[a]=now&subscribed[b]=now"), ""))
	wantAnswer(t, ask(t, path, asked("publish=c"), ""), http.StatusOK, "true")
	eventually(t, "it shows the poll that waits", func() bool {
		var f struct {
			Program            string
			Waiting, Events    int
			Parked             int64
			Connections        int
			MaxConnections     int `json:"max_connections"`
			Publications       int
			Memory             int `json:"memory_bytes"`
			Checks             struct{ Count int }
			HTTPErrors         map[string]int `json:"http_errors"`
			Version, Go, Began string
		}
		answer := ask(t, path, shown("*/*"), "")
		if err := json.Unmarshal([]byte(answer.body), &f); err != nil {
			t.Fatalf("%v: %s", err, answer.body)
		}
		if f.Program != "comet-fcgi" || f.MaxConnections == 0 || f.Memory < 1<<20 || f.Publications != 1 || f.Version == "" || f.Go == "" || f.Began == "" {
			t.Fatalf("%+v", f)
		}
		return f.Waiting == 1 && f.Events == 2 && f.Parked == 1 && f.Connections >= 2 && f.Checks.Count > 0
	})
}

func TestPrometheusGetsItsOwnFormat(t *testing.T) {
	s, path := inside(t, t.TempDir())
	wantAnswer(t, ask(t, path, asked("publish=a"), ""), http.StatusOK, "true")
	for query, status := range map[string]int{"subscribed[a]=1.x": http.StatusBadRequest, "subscribed[a]=0.0": http.StatusOK} {
		if answer := ask(t, path, asked(query), ""); answer.status != status {
			t.Fatalf("%s: %+v", query, answer)
		}
	}
	for accept, format := range map[string]string{
		"text/plain;version=0.0.4;q=0.5,*/*;q=0.1":         "text/plain; version=0.0.4",
		"application/openmetrics-text;version=1.0.0,*/*":   "text/plain; version=0.0.4", // It may have the other one too.
		"application/vnd.google.protobuf, text/plain;q=.2": "text/plain; version=0.0.4",
	} {
		header, _ := s.shows(t, accept)
		if !strings.HasPrefix(header.Get("Content-Type"), format) || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", accept, header)
		}
	}
	for _, accept := range []string{"", "*/*", "application/json", "text/html,application/xhtml+xml,*/*;q=0.8"} {
		if header, body := s.shows(t, accept); header.Get("Content-Type") != "application/json; charset=utf-8" || !json.Valid([]byte(body)) {
			t.Errorf("%s: %v %s", accept, header, body)
		}
	}

	_, text := s.shows(t, "text/plain")
	for _, line := range []string{
		`novcomet_polls_total{outcome="changed"} 1`, `novcomet_publications_total{outcome="published"} 1`,
		`novcomet_http_errors_total{code="400"} 1`, "novcomet_waiting 0", "novcomet_streams 0", "novcomet_events 0", "novcomet_parked 0",
		"novcomet_serving_max ", "novcomet_connections ", `novcomet_check_seconds_bucket{le="+Inf"} `, "novcomet_check_failures_total 0",
		`novcomet_build_info{goversion="go1.`, "process_resident_memory_bytes ", "go_goroutines ",
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("no %q in:\n%s", line, text)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "novcomet_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// Only what the web server says counts: a visitor's headers arrive as HTTP_….
func TestNoVisitorSeesTheFigures(t *testing.T) {
	t.Parallel()
	_, path := served(t, t.TempDir())
	for _, variable := range []string{"HTTP_COMET_STATUS", "comet_status", "REDIRECT_COMET_STATUS"} {
		variables := asked("publish=a")
		variables[variable] = "on"
		wantAnswer(t, ask(t, path, variables, ""), http.StatusOK, "true")
	}
}
