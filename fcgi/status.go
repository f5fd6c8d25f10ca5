package main

import (
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"novcomet/conf/build"
	"novcomet/core"
	"novcomet/core/metrics"
)

// status is what a status location shows: the counters of the endpoint and the state of the process.
type status struct {
	Program string    `json:"program"`
	Version string    `json:"version"`
	Go      string    `json:"go"`
	Began   time.Time `json:"began"`

	metrics.Snapshot

	Parked         int64  `json:"parked"`  // polls and streams that are parked
	Serving        int    `json:"serving"` // other requests in progress
	MaxServing     int    `json:"max_serving"`
	Connections    int    `json:"connections"` // of web servers, each an open file
	MaxConnections int    `json:"max_connections"`
	Resident       uint64 `json:"memory_bytes"` // of the process; 0: unknown
	Heap           uint64 `json:"heap_bytes"`   // in use by Go
	Goroutines     int    `json:"goroutines"`
}

func (s *server) status() status {
	return status{
		Program: "comet-fcgi", Version: build.Version(), Go: runtime.Version(), Began: s.began.UTC().Truncate(time.Second),
		Snapshot: s.metrics.Snapshot(),
		Parked:   int64(s.reactor.Parked()), Serving: s.reactor.Serving(), MaxServing: s.startSettings.MaxServing,
		Connections: s.reactor.Connections(), MaxConnections: s.maxConnections,
		Resident: residentMemory(), Heap: heapMemory(), Goroutines: runtime.NumGoroutine(),
	}
}

// statusHandler answers with the status as JSON, or as text if Prometheus asks.
func (s *server) statusHandler() http.Handler {
	prometheus := s.prometheusHandler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wantsPrometheus(r.Header) {
			w.Header().Set("Cache-Control", "no-store")
			prometheus.ServeHTTP(w, r)
			return
		}
		core.WriteJSON(w, s.status())
	})
}

// wantsPrometheus reports whether the client accepts the text format of Prometheus or OpenMetrics. Browsers
// accept HTML and curl accepts anything: both get JSON.
func wantsPrometheus(h http.Header) bool {
	for _, accept := range h.Values("Accept") {
		if strings.Contains(accept, "text/plain") || strings.Contains(accept, "application/openmetrics-text") {
			return true
		}
	}
	return false
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
	fields := strings.Fields(string(statm)) // in pages: the size of the process, the resident part, …
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(fields[1], 10, 64)
	return pages * uint64(os.Getpagesize())
}
