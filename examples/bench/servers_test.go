package main

import "testing"

func TestMeasureServers_MeasuresEachFigure(t *testing.T) {
	wantFigures(t, map[string][]figure{"apache-cgi, 1": serverFigures},
		"--servers", "--with", "apache-cgi", "--samples", "3")
}
