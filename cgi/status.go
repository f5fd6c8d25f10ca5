package main

import (
	"net/http"
	"runtime"

	"novcomet/conf/build"
	"novcomet/core"
)

// status answers at a status location. This process answers one request, so it has no metrics.
func status(w http.ResponseWriter, _ *http.Request) {
	core.WriteJSON(w, struct {
		Program string `json:"program"`
		Version string `json:"version"`
		Go      string `json:"go"`
		Note    string `json:"note"`
	}{"comet.cgi", build.Version(), runtime.Version(),
		"one process answers one request and counts nothing: only comet-fcgi has metrics"})
}
