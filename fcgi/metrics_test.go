package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	. "novcomet/fcgi/fastcgi/fastcgitest"
)

func TestMetrics_AreShownToPrometheus(t *testing.T) {
	t.Parallel()
	_, path := startInProcess(t, t.TempDir())
	wantPublished(t, path, "a")
	for query, status := range map[string]int{
		"subscribed[a]=1.x": http.StatusBadRequest, "subscribed[a]=0.0": http.StatusOK,
	} {
		if r := ask(t, path, Get(query), ""); r.Status != status {
			t.Fatalf("%s: %+v", query, r)
		}
	}
	for accept, contentType := range map[string]string{
		"text/plain;version=0.0.4;q=0.5,*/*;q=0.1":         "text/plain; version=0.0.4",
		"application/openmetrics-text;version=1.0.0,*/*":   "text/plain; version=0.0.4", // It accepts any format.
		"application/vnd.google.protobuf, text/plain;q=.2": "text/plain; version=0.0.4",
		"":                 "application/json; charset=utf-8",
		"*/*":              "application/json; charset=utf-8",
		"application/json": "application/json; charset=utf-8",
		"text/html,application/xhtml+xml,*/*;q=0.8": "application/json; charset=utf-8",
	} {
		r := ask(t, path, getStatus(accept), "")
		got := r.Header.Get("Content-Type")
		if !strings.HasPrefix(got, contentType) || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%q: %v", accept, r.Header)
		}
		if isJSON := json.Valid([]byte(r.Body)); isJSON != strings.Contains(contentType, "json") {
			t.Errorf("%q: %s", accept, r.Body)
		}
	}

	text := ask(t, path, getStatus("text/plain"), "").Body
	for _, line := range []string{
		`novcomet_polls_total{outcome="changed"} 1`, `novcomet_publications_total{outcome="published"} 1`,
		`novcomet_http_errors_total{code="400"} 1`, "novcomet_waiting 0", "novcomet_streams 0", "novcomet_events 0",
		"novcomet_parked 0", "novcomet_serving_max ", "novcomet_connections ",
		`novcomet_check_seconds_bucket{le="+Inf"} `, "novcomet_check_failures_total 0",
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
