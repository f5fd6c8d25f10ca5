package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

func TestASoakSaysWhatItHasShown(t *testing.T) {
	figures := filepath.Join(t.TempDir(), "figures.json")
	var text bytes.Buffer
	terminal, wantShown := openTerminal(t)
	err := run(t.Context(), []string{"--soak", "3s", "--with", "apache-cgi", "--pages", "6", "--slack", "60s", "--json", figures}, &text, terminal)
	if err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	for _, line := range []string{"publications", "answers", "missed", "spurious", "died", "errors", "told after, precise", "told after, whole-second"} {
		if !strings.Contains(text.String(), "\n"+line) {
			t.Errorf("no line %q:\n%s", line, text.String())
		}
	}
	wantShown(`[1-9][0-9]* publications`)
	var report struct {
		Machine      string
		Judged       int
		Missed       *int
		Publications map[string]int
	}
	read(t, figures, func(text []byte) error { return json.Unmarshal(text, &report) })
	if report.Machine == "" || report.Judged == 0 || report.Missed == nil || *report.Missed != 0 || len(report.Publications) == 0 {
		t.Errorf("the figures: %+v", report)
	}
}

// With no slack at all every answer to a precise page is too late.
func TestASoakFailsWhereSomethingIsMissed(t *testing.T) {
	var text, progress bytes.Buffer
	err := run(t.Context(), []string{"--soak", "3s", "--with", "nginx", "--pages", "6", "--slack", "0s"}, &text, &progress)
	if err == nil || !strings.Contains(err.Error(), "missed") || !strings.Contains(text.String(), "too late") {
		t.Errorf("%v; want an error\n%s", err, text.String())
	}
}
