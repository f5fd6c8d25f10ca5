package main

import (
	"net/http"
	"runtime"
	"runtime/debug"

	"novcomet/core"
)

// status answers at a status location. This process answers one request, so it has no metrics.
func status(w http.ResponseWriter, _ *http.Request) {
	core.WriteJSON(w, struct {
		Program string `json:"program"`
		Version string `json:"version"`
		Go      string `json:"go"`
		Note    string `json:"note"`
	}{"comet.cgi", release(), runtime.Version(),
		"one process answers one request and counts nothing: only comet-fcgi has metrics"})
}

// release returns the version of the module that the Go toolchain recorded at the build.
func release() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}
