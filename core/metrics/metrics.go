// Package metrics has the counters of a process. There is one set of them; the JSON of a status location and
// the text of Prometheus are two views of it.
package metrics

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Metrics are the counters. The zero Metrics are ready to use. All methods may be called concurrently.
type Metrics struct {
	Waiting atomic.Int64 // polls that wait now, those of streams included
	Streams atomic.Int64 // streams that are open now
	Events  atomic.Int64 // distinct events that are waited for now

	PollsChanged    atomic.Uint64 // polls that were answered with a change; not those of streams
	PollsUnchanged  atomic.Uint64 // polls whose wait was over
	PollsAborted    atomic.Uint64 // polls whose client left before the answer
	StreamsTotal    atomic.Uint64 // streams that were opened
	Publications    atomic.Uint64 // publications that the store took
	PublishFailures atomic.Uint64 // publications that the store refused or could not take

	mu         sync.Mutex
	httpErrors map[int]uint64
	checks     Checks
}

// Checks are the checks of the store. Each reads all events that are due.
type Checks struct {
	Count  uint64
	Failed uint64 // checks in which the store, or a part of it, could not be reached
	Time   time.Duration
	Within [len(checkBuckets)]uint64 // checks that took at most each of the [CheckBuckets]
}

var checkBuckets = [...]time.Duration{
	100 * time.Microsecond, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, time.Second,
}

// CheckBuckets returns the upper bounds of the buckets of [Checks].Within, in ascending order.
func CheckBuckets() []time.Duration { return slices.Clone(checkBuckets[:]) }

// MarshalJSON writes times in seconds: {"count":3,"failed":0,"seconds":0.012,"within":{"0.0001":1, …}}.
func (c Checks) MarshalJSON() ([]byte, error) {
	within := make(map[string]uint64, len(checkBuckets))
	for i, bound := range checkBuckets {
		within[strconv.FormatFloat(bound.Seconds(), 'g', -1, 64)] = c.Within[i]
	}
	return json.Marshal(map[string]any{
		"count": c.Count, "failed": c.Failed, "seconds": c.Time.Seconds(), "within": within,
	})
}

// CountCheck counts a check of the store.
func (m *Metrics) CountCheck(took time.Duration, failed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.checks.Count++
	if failed {
		m.checks.Failed++
	}
	m.checks.Time += took
	for i, bound := range checkBuckets {
		if took <= bound {
			m.checks.Within[i]++
		}
	}
}

// CountError counts a request that was answered with an HTTP error.
func (m *Metrics) CountError(status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.httpErrors == nil {
		m.httpErrors = map[int]uint64{}
	}
	m.httpErrors[status]++
}

// Snapshot is the state of [Metrics] at one time, as a status location shows it.
type Snapshot struct {
	Waiting int64 `json:"waiting"`
	Streams int64 `json:"streams"`
	Events  int64 `json:"events"`

	PollsChanged    uint64 `json:"polls_changed"`
	PollsUnchanged  uint64 `json:"polls_unchanged"`
	PollsAborted    uint64 `json:"polls_left"`
	StreamsTotal    uint64 `json:"streams_began"`
	Publications    uint64 `json:"publications"`
	PublishFailures uint64 `json:"publications_failed"`

	HTTPErrors map[int]uint64 `json:"http_errors"` // by status
	Checks     Checks         `json:"checks"`
}

// Snapshot returns the state now.
func (m *Metrics) Snapshot() Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	httpErrors := map[int]uint64{}
	maps.Copy(httpErrors, m.httpErrors)
	return Snapshot{
		Waiting: m.Waiting.Load(), Streams: m.Streams.Load(), Events: m.Events.Load(),
		PollsChanged: m.PollsChanged.Load(), PollsUnchanged: m.PollsUnchanged.Load(), PollsAborted: m.PollsAborted.Load(),
		StreamsTotal: m.StreamsTotal.Load(),
		Publications: m.Publications.Load(), PublishFailures: m.PublishFailures.Load(),
		HTTPErrors: httpErrors, Checks: m.checks,
	}
}
