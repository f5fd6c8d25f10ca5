package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestMeasurePrograms_MeasuresEachFigure(t *testing.T) {
	earlier := bench{scratch: t.TempDir()}
	if err := earlier.build(t.Context()); err != nil {
		t.Fatal(err)
	}
	direct := func(figures []figure) []figure {
		ofNginx := func(f figure) bool { return strings.Contains(f.label, "nginx") }
		return slices.DeleteFunc(slices.Clone(figures), ofNginx)
	}
	through := func(figures []figure) []figure { return figures }
	for second, test := range map[string]struct {
		measured func([]figure) []figure
		streams  []string // the programs that have streams
		args     []string
	}{
		plain:    {direct, []string{cometFCGI}, nil},
		baseline: {through, []string{cometFCGI, baseline}, []string{"--baseline", earlier.program, "--with", "nginx"}},
	} {
		t.Run(second, func(t *testing.T) {
			want := map[string][]figure{}
			for _, program := range []string{cometFCGI, second} {
				want["1 client: "+program] = singleFigures
				want["50 polls: "+program] = test.measured(crowdFigures)
				want["50 polls on kept connections: "+program] = test.measured(crowdFigures)
			}
			for _, program := range test.streams {
				want["30 streams: "+program] = test.measured(streamFigures)
			}
			chart := filepath.Join(t.TempDir(), "chart.svg")
			wantFigures(t, want, append(test.args, "--waiters", "50", "--rounds", "2", "--samples", "3",
				"--window", "200ms", "--streams", "30", "--plot", chart)...)
			wantXML(t, chart)
		})
	}
}
