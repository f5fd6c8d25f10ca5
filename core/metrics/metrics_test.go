package metrics_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"novcomet/core/metrics"
)

func TestMetrics_CountChecksByDuration(t *testing.T) {
	var m metrics.Metrics
	for _, took := range []time.Duration{
		0, 100 * time.Microsecond, 101 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 2 * time.Second,
	} {
		m.CountCheck(took, took == 2*time.Second)
	}
	checks := m.Snapshot().Checks
	if want := [...]uint64{2, 3, 5, 5, 5}; checks.Within != want {
		t.Errorf("within %v of %v; want %v", checks.Within, metrics.CheckBuckets(), want)
	}
	want := 2015*time.Millisecond + 201*time.Microsecond
	if checks.Count != 6 || checks.Failed != 1 || checks.Time != want {
		t.Errorf("%+v; want 6 checks, 1 failed, in %v", checks, want)
	}
	if buckets := metrics.CheckBuckets(); !slices.IsSorted(buckets) || len(buckets) != len(checks.Within) {
		t.Errorf("the buckets are %v", buckets)
	}
}

func TestMetrics_SnapshotDoesNotChange(t *testing.T) {
	var m metrics.Metrics
	m.CountError(400)
	m.Publications.Add(1)
	snapshot := m.Snapshot()
	m.CountError(400)
	m.Publications.Add(1)
	snapshot.HTTPErrors[403] = 9
	if snapshot.HTTPErrors[400] != 1 || snapshot.Publications != 1 {
		t.Errorf("the snapshot became %+v", snapshot)
	}
	if now := m.Snapshot(); now.HTTPErrors[400] != 2 || now.HTTPErrors[403] != 0 || now.Publications != 2 {
		t.Errorf("the counters became %+v", now)
	}
}

// Monitoring reads these names, so they must not change.
func TestSnapshot_HasTheNamesOfAStatusLocation(t *testing.T) {
	var m metrics.Metrics
	m.Waiting.Store(1)
	m.Streams.Store(2)
	m.Events.Store(3)
	m.PollsChanged.Store(4)
	m.PollsUnchanged.Store(5)
	m.PollsAborted.Store(6)
	m.StreamsTotal.Store(7)
	m.Publications.Store(8)
	m.PublishFailures.Store(9)
	m.CountError(429)
	m.CountCheck(1500*time.Microsecond, true)
	got, err := json.Marshal(m.Snapshot())
	want := `{"waiting":1,"streams":2,"events":3,` +
		`"polls_changed":4,"polls_unchanged":5,"polls_left":6,"streams_began":7,"publications":8,"publications_failed":9,` +
		`"http_errors":{"429":1},` +
		`"checks":{"count":1,"failed":1,"seconds":0.0015,"within":{"0.0001":0,"0.001":0,"0.01":1,"0.1":1,"1":1}}}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func TestSnapshot_HasAnObjectOfErrorsFromTheStart(t *testing.T) {
	got, err := json.Marshal(new(metrics.Metrics).Snapshot())
	if err != nil || !strings.Contains(string(got), `"http_errors":{}`) {
		t.Errorf("%s, %v", got, err)
	}
}
