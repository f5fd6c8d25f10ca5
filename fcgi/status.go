package main

import (
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"novcomet/core"
)

// figures tell how the process does: what its endpoints have counted, and what is its own.
type figures struct {
	Program string    `json:"program"`
	Version string    `json:"version"`
	Go      string    `json:"go"`
	Began   time.Time `json:"began"`

	core.Figures

	// Parked are the polls and streams that wait outside net/http/fcgi, Serving the answers that are being written inside.
	Parked     int64 `json:"parked"`
	Serving    int   `json:"serving"`
	MaxServing int   `json:"max_serving"`
	// Connections are those of web servers, each an open file.
	Connections    int `json:"connections"`
	MaxConnections int `json:"max_connections"`
	// Resident is how much memory the process takes, Heap what of it is in use by Go, both in bytes. 0: not known.
	Resident   uint64 `json:"memory_bytes"`
	Heap       uint64 `json:"heap_bytes"`
	Goroutines int    `json:"goroutines"`
}

func (s *server) figures() figures {
	f := figures{
		Program: "comet-fcgi", Version: release(), Go: runtime.Version(), Began: s.began.UTC().Truncate(time.Second),
		Parked: s.parked.Load(), Serving: s.responders.busy(), MaxServing: cap(s.responders.free),
		MaxConnections: cap(s.places),
		Resident:       residentMemory(), Heap: heapMemory(), Goroutines: runtime.NumGoroutine(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Connections, f.Figures = len(s.all), s.past
	for _, p := range s.policies {
		f.Figures = f.Plus(p.gateway.Figures())
	}
	return f
}

// showing answers with the figures: as JSON, or for Prometheus where it asks.
func (s *server) showing() http.Handler {
	prometheus := s.prometheus()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wantsPrometheus(r.Header) {
			w.Header().Set("Cache-Control", "no-store")
			prometheus.ServeHTTP(w, r)
			return
		}
		core.WriteJSON(w, s.figures())
	})
}

// wantsPrometheus reports whether the client asks for the text of Prometheus, or of OpenMetrics. A browser asks for HTML, curl for
// anything: both get JSON.
func wantsPrometheus(h http.Header) bool {
	for _, accept := range h.Values("Accept") {
		if strings.Contains(accept, "text/plain") || strings.Contains(accept, "application/openmetrics-text") {
			return true
		}
	}
	return false
}

// release is the version of the module as the Go toolchain recorded it at the build.
func release() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}

func heapMemory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

func residentMemory() uint64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(statm)) // in pages: all of it, what is resident, …
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(fields[1], 10, 64)
	return pages * uint64(os.Getpagesize())
}
