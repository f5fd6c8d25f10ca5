package main

import (
	"bytes"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryFigureOfTwoProgramsOnOneStoreIsMeasured(t *testing.T) {
	file := filepath.Join(t.TempDir(), "figures.json")
	args := []string{"--store", "redis", "--waiters", "20", "--samples", "3", "--window", "500ms", "--json", file}
	before := directories(t)
	var table, progress bytes.Buffer
	err := run(t.Context(), args, &table, &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	if left := directories(t); len(left) > len(before) {
		t.Errorf("left behind: %q", left)
	}
	var report struct {
		Measurements []struct {
			Figures map[string]struct{ Samples []float64 }
		}
	}
	read(t, file, func(text []byte) error { return json.Unmarshal(text, &report) })
	found := map[string][]float64{}
	for _, m := range report.Measurements {
		for name, figure := range m.Figures {
			found[name] = figure.Samples
		}
	}
	for _, f := range shared {
		samples := found[f.key]
		if len(samples) == 0 || f.key != "elsewhere" && !sane(f.key, samples) || f.key == "elsewhere" && samples[0] < 1 {
			t.Errorf("%s is %v", f.key, samples)
		}
		if !strings.Contains(table.String(), f.label) {
			t.Errorf("the table has no line %q:\n%s", f.label, table.String())
		}
	}
}

func TestOptionsThatDoNotGoWithAStoreAreRefused(t *testing.T) {
	for args, want := range map[string]string{
		"--store memcached":          "only redis",
		"--store redis --with nginx": "go through",
		"--store redis --only plain": "leave out",
	} {
		err := run(t.Context(), strings.Fields(args), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want an error that says %q", args, err, want)
		}
	}
}
