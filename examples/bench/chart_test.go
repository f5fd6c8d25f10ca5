package main

import (
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPlot_DrawsZerosAndProgramsThatWereNotMeasured(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chart.svg")
	r := &report{}
	for _, clients := range []int{2000, 1000} {
		m := r.add(titleOf(clients, kept), cometFCGI, clients, crowdFigures)
		m.add("memory", 0)
		m.add("idle", float64(clients))
	}
	if err := r.plot(path); err != nil {
		t.Fatal(err)
	}
	wantXML(t, path)
}

// wantXML wants a file of well-formed XML with the titles of all charts.
func wantXML(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(strings.NewReader(string(text))); err == nil; {
		_, err = d.Token()
	}
	if err != io.EOF {
		t.Error(err)
	}
	for _, row := range charts {
		for _, chart := range row {
			if !strings.Contains(string(text), chart.title) {
				t.Errorf("no chart %q", chart.title)
			}
		}
	}
}
