package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestMeasurePrograms_MeasuresEachFigure(t *testing.T) {
	var direct []figure
	for _, f := range crowdFigures {
		if !strings.HasPrefix(f.key, "front_") {
			direct = append(direct, f)
		}
	}
	for name, test := range map[string]struct {
		figures []figure
		args    []string
	}{
		"directly":      {direct, nil},
		"through nginx": {crowdFigures, []string{"--with", "nginx"}},
	} {
		t.Run(name, func(t *testing.T) {
			chart := filepath.Join(t.TempDir(), "chart.svg")
			wantFigures(t, map[string][]figure{
				"comet-fcgi, 1": singleFigures, "plain, 1": singleFigures,
				"comet-fcgi, 50": test.figures, "plain, 50": test.figures,
				"streams, 30": streamFigures, "polls, 30": streamFigures,
			}, append(test.args, "--waiters", "50", "--rounds", "2", "--samples", "3", "--window", "200ms",
				"--streams", "30", "--plot", chart)...)
			wantXML(t, chart)
		})
	}
}
