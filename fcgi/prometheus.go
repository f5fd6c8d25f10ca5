package main

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"novcomet/core"
)

// prometheus answers with the figures in the words of Prometheus, and those of the Go runtime and the process beside them. Nothing
// is counted for it: whatever it shows is made of the figures when it is asked.
func (s *server) prometheus() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		metrics{s},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{DisableCompression: true})
}

// metrics is a collector of the figures.
type metrics struct{ server *server }

func (metrics) describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("novcomet_"+name, help, labels, nil)
}

// Describe is for the registry. What there will be is known when it is there.
func (m metrics) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, to) }

// Collect is for the registry.
func (m metrics) Collect(to chan<- prometheus.Metric) {
	f := m.server.figures()
	now := func(name, help string, value int) {
		to <- prometheus.MustNewConstMetric(m.describe(name, help), prometheus.GaugeValue, float64(value))
	}
	now("waiting", "Polls that wait, among them those of streams.", f.Waiting)
	now("streams", "Streams that are open.", f.Streams)
	now("events", "Different events that are waited for.", f.Events)
	now("parked", "Polls and streams that wait outside net/http/fcgi.", int(f.Parked))
	now("serving", "Answers that are being written inside net/http/fcgi.", f.Serving)
	now("serving_max", "Answers that may be written at the same time.", f.MaxServing)
	now("connections", "Connections of web servers.", f.Connections)
	now("connections_max", "Connections that there may be.", f.MaxConnections)

	total := func(d *prometheus.Desc, value uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	polls := m.describe("polls_total", "Polls, by what became of them: changed, unchanged, or left by their client.", "outcome")
	total(polls, f.Changed, "changed")
	total(polls, f.Unchanged, "unchanged")
	total(polls, f.Left, "left")
	total(m.describe("streams_total", "Streams that were begun."), f.Figures.Began)
	publications := m.describe("publications_total", "Publications, by what became of them: published, or failed in the store.", "outcome")
	total(publications, f.Published, "published")
	total(publications, f.Unpublished, "failed")
	errors := m.describe("http_errors_total", "Requests that were answered with an HTTP error.", "code")
	for status, n := range f.Errors {
		total(errors, n, strconv.Itoa(status))
	}

	within := map[float64]uint64{}
	for i, bound := range core.LookBounds() {
		within[bound.Seconds()] = f.Looks.Within[i]
	}
	to <- prometheus.MustNewConstHistogram(m.describe("check_seconds", "Checks of the store, each a look at all events that were due, and how long they took."),
		f.Looks.Count, f.Looks.Time.Seconds(), within)
	total(m.describe("check_failures_total", "Checks that found the store gone, or a part of it."), f.Looks.Failed)

	build := m.describe("build_info", "Always 1; which program it is.", "version", "goversion")
	to <- prometheus.MustNewConstMetric(build, prometheus.GaugeValue, 1, f.Version, f.Go)
}
