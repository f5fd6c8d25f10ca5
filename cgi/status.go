package main

import (
	"net/http"
	"runtime"
	"runtime/debug"

	"novcomet/core"
)

// status answers at a location whose COMET_STATUS is on. This process began with the request and ends with it: the others, that
// poll or publish at the same time, are not known to it, and what they did is counted nowhere.
func status(w http.ResponseWriter, _ *http.Request) {
	core.WriteJSON(w, struct {
		Program string `json:"program"`
		Version string `json:"version"`
		Go      string `json:"go"`
		Note    string `json:"note"`
	}{"comet.cgi", release(), runtime.Version(), "one process answers one request and counts nothing: there are figures of comet-fcgi only"})
}

// release is the version of the module as the Go toolchain recorded it at the build.
func release() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}
