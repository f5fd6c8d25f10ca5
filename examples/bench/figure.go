package main

import (
	"encoding/json"
	"slices"
)

// unit is what a figure counts; figures are kept in bytes, seconds, and cores.
type unit struct {
	name   string
	size   float64
	digits int
}

var (
	kib          = unit{"KiB", 1 << 10, 1}
	mib          = unit{"MiB", 1 << 20, 1}
	milliseconds = unit{"ms", 1e-3, 1}
	microseconds = unit{"µs", 1e-6, 0}
	ofACore      = unit{"% of a core", 1e-2, 2}
)

// figure is one line of the table.
type figure struct {
	key   string
	label string
	unit  unit
}

// The figures of one waiter alone.
var single = []figure{
	{"url_p50", "publish by URL → answer, p50", milliseconds},
	{"url_p99", "publish by URL → answer, p99", milliseconds},
	{"touch_p50", "touch → answer, p50", milliseconds},
	{"touch_p99", "touch → answer, p99", milliseconds},
}

// The figures of many waiters.
var many = []figure{
	{"memory", "memory per waiter, when they have come", kib},
	{"memory_half", "memory per waiter, halfway through the rounds", kib},
	{"memory_rounds", "memory per waiter, after the last round", kib},
	{"memory_rest", "memory per waiter, some seconds later", kib},
	{"memory_events", "memory per waiter, an event each, some seconds later", kib},
	{"idle", "CPU while all wait for one event", ofACore},
	{"idle_events", "CPU while each waits for an event of its own", ofACore},
	{"last", "touch → the last answer, one event", milliseconds},
	{"last_events", "first touch → the last answer, an event each", milliseconds},
	{"cpu", "CPU per answer and its next poll, one event", microseconds},
	{"cpu_events", "CPU per answer and its next poll, an event each", microseconds},
	{"peak", "rise of RSS meanwhile", mib},
	{"gone", "all leave → nobody waits (3,000 or more: they still do)", milliseconds},
	{"memory_gone_first", "memory 2 s after all have left, over empty", mib},
	{"memory_gone", "memory 2 s after they have left the last time", mib},
}

// The figures of nginx itself, where there is one.
var front = []figure{
	{"front_memory", "nginx itself: memory per waiter", kib},
	{"front_cpu", "nginx itself: CPU per answer and its next poll", microseconds},
}

// The figures of streams, and of polls beside them.
var reading = []figure{
	{"memory", "memory of each, when they have come", kib},
	{"memory_rounds", "memory of each, after the last event", kib},
	{"memory_rest", "memory of each, some seconds later", kib},
	{"last", "touch → the last has been told", milliseconds},
	{"cpu", "CPU for each that is told, and waits again", microseconds},
	{"idle", "CPU while all wait", ofACore},
}

// samples are what was measured of one figure, in the order of time. JSON has the median beside them.
type samples []float64

func (s samples) quantile(q float64) float64 {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

func (s samples) median() float64 { return s.quantile(0.5) }

func (s samples) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"median": s.median(), "samples": []float64(s)})
}

// measurement is what was measured of one program with so many waiters.
type measurement struct {
	Program string             `json:"program"`
	Waiters int                `json:"waiters"`
	Figures map[string]samples `json:"figures"` // in bytes, seconds and cores
}

func newMeasurement(program string, waiters int) *measurement {
	return &measurement{program, waiters, map[string]samples{}}
}

func (m *measurement) add(key string, value float64) { m.Figures[key] = append(m.Figures[key], value) }
