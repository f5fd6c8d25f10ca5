package main

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"novcomet/core/metrics"
)

// prometheusHandler answers with the status in the format of Prometheus, and with the metrics of the Go
// runtime and the process.
func (s *server) prometheusHandler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collector{s},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{DisableCompression: true})
}

// collector is a [prometheus.Collector] of the status.
type collector struct{ server *server }

func (c collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

func (c collector) Collect(ch chan<- prometheus.Metric) {
	st := c.server.status()
	gauge := func(name, help string, value int64) {
		ch <- prometheus.MustNewConstMetric(describe(name, help), prometheus.GaugeValue, float64(value))
	}
	gauge("waiting", "Polls that wait, those of streams included.", st.Waiting)
	gauge("streams", "Streams that are open.", st.Streams)
	gauge("events", "Different events that are waited for.", st.Events)
	gauge("parked", "Polls and streams that are parked on their connection.", st.Parked)
	gauge("serving", "Other requests in progress.", int64(st.Serving))
	gauge("serving_max", "Other requests that may be in progress at the same time.", int64(st.MaxServing))
	gauge("connections", "Connections of web servers.", int64(st.Connections))
	gauge("connections_max", "Connections that there may be.", int64(st.MaxConnections))

	counter := func(d *prometheus.Desc, value uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	polls := describe("polls_total", "Polls by outcome: changed, unchanged, or left by their client.", "outcome")
	counter(polls, st.PollsChanged, "changed")
	counter(polls, st.PollsUnchanged, "unchanged")
	counter(polls, st.PollsAborted, "left")
	counter(describe("streams_total", "Streams that were opened."), st.StreamsTotal)
	publications := describe("publications_total", "Publications by outcome: published, or failed in the store.",
		"outcome")
	counter(publications, st.Publications, "published")
	counter(publications, st.PublishFailures, "failed")
	errors := describe("http_errors_total", "Requests that were answered with an HTTP error.", "code")
	for status, n := range st.HTTPErrors {
		counter(errors, n, strconv.Itoa(status))
	}

	within := map[float64]uint64{}
	for i, bound := range metrics.CheckBuckets() {
		within[bound.Seconds()] = st.Checks.Within[i]
	}
	checks := describe("check_seconds", "Duration of checks of the store. Each check reads all events that are due.")
	ch <- prometheus.MustNewConstHistogram(checks, st.Checks.Count, st.Checks.Time.Seconds(), within)
	failures := describe("check_failures_total", "Checks in which the store, or a part of it, could not be reached.")
	counter(failures, st.Checks.Failed)

	build := describe("build_info", "Always 1; the labels have the version.", "version", "goversion")
	ch <- prometheus.MustNewConstMetric(build, prometheus.GaugeValue, 1, st.Version, st.Go)
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("novcomet_"+name, help, labels, nil)
}
