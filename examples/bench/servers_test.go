package main

import (
	"bytes"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryFigureOfAStreamThroughAServerIsMeasured(t *testing.T) {
	file := filepath.Join(t.TempDir(), "figures.json")
	before := directories(t)
	var table, progress bytes.Buffer
	if err := run(t.Context(), []string{"--servers", "--with", "apache-cgi", "--samples", "3", "--json", file}, &table, &progress); err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	if left := directories(t); len(left) > len(before) {
		t.Errorf("left behind: %q", left)
	}
	var report struct {
		Measurements []struct {
			Program string
			Figures map[string]struct{ Samples []float64 }
		}
	}
	read(t, file, func(text []byte) error { return json.Unmarshal(text, &report) })
	if len(report.Measurements) != 1 || report.Measurements[0].Program != "apache-cgi" {
		t.Fatalf("measured: %+v", report.Measurements)
	}
	for _, f := range through {
		samples := report.Measurements[0].Figures[f.key].Samples
		if len(samples) != 3 || !sane(f.key, samples) {
			t.Errorf("%s is %v", f.key, samples)
		}
		if !strings.Contains(table.String(), f.label) {
			t.Errorf("the table has no column %q:\n%s", f.label, table.String())
		}
	}
}

func TestOptionsThatDoNotGoWithServersAreRefused(t *testing.T) {
	for args, want := range map[string]string{
		"--servers --with iis":    "--with",
		"--servers --samples 0":   "--samples",
		"--servers --only plain":  "leave out",
		"--servers --store redis": "leave out",
	} {
		err := run(t.Context(), strings.Fields(args), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want an error that says %q", args, err, want)
		}
	}
}
