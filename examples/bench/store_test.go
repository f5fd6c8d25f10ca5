package main

import "testing"

func TestMeasureStore_MeasuresEachFigure(t *testing.T) {
	wantFigures(t, map[string][]figure{
		"two comet-fcgi on one Redis: one client": storeFigures[:2],
		"two comet-fcgi on one Redis: 20 clients": storeFigures[2:],
	}, "--store", "redis", "--waiters", "20", "--samples", "3", "--window", "500ms")
}
