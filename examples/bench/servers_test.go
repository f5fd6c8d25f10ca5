package main

import "testing"

func TestMeasureServers_MeasuresEachFigure(t *testing.T) {
	wantFigures(t, map[string][]figure{"a stream, a comment every 500ms: apache-cgi": serverFigures},
		"--servers", "--with", "apache-cgi", "--samples", "3")
}
