package main

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

func TestSoak_PrintsAndWritesWhatItHasFound(t *testing.T) {
	figures := filepath.Join(t.TempDir(), "figures.json")
	var text bytes.Buffer
	terminal, wantShown := openTerminal(t)
	args := []string{"--soak", "3s", "--with", "apache-cgi", "--pages", "6", "--slack", "60s", "--json", figures}
	err := run(t.Context(), args, &text, terminal)
	if err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	for _, line := range []string{"disturbances", "publications", "answers", "deliveries expected", "missed", "excused",
		"invented", "out of order", "torn", "stale", "too early", "overdue",
		"ended", "errors", "problems", "delay, precise", "delay, legacy",
		"judge.py agrees"} {
		if !strings.Contains(text.String(), "\n"+line) {
			t.Errorf("no line %q:\n%s", line, text.String())
		}
	}
	wantShown(`[1-9][0-9]* publications`)
	var report struct {
		Machine      string
		Expected     int
		Missed       *int
		Publications map[string]int
	}
	wantJSON(t, figures, &report)
	if report.Machine == "" || report.Expected == 0 || len(report.Publications) == 0 ||
		report.Missed == nil || *report.Missed != 0 {
		t.Errorf("the figures: %+v", report)
	}
}

func TestSoak_FailsIfSomethingIsMissed(t *testing.T) {
	var text bytes.Buffer
	// Without slack, every answer to a precise page is too late.
	args := []string{"--soak", "3s", "--with", "nginx", "--pages", "6", "--slack", "0s"}
	err := run(t.Context(), args, &text, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "missed") || !strings.Contains(text.String(), "too late") {
		t.Errorf("%v; want an error\n%s", err, text.String())
	}
}
