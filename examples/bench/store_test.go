package main

import "testing"

func TestMeasureStore_MeasuresEachFigure(t *testing.T) {
	wantFigures(t, map[string][]figure{"one client, 1": storeFigures[:2], "20 clients, 20": storeFigures[2:]},
		"--store", "redis", "--waiters", "20", "--samples", "3", "--window", "500ms")
}
