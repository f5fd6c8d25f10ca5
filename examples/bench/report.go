package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"
)

// figure is a row of a table. Figures are kept in bytes, seconds, and CPU seconds per second.
type figure struct {
	key   string
	label string
	unit  unit
}

// unit is how a figure is printed.
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
	perSecond    = unit{"1/s", 1, 0}
)

// The kinds of clients. In polls, each request has a FastCGI connection of its own.
const (
	polls   = "polls"
	kept    = "polls on kept connections"
	streams = "streams"
)

// titleOf returns the title of the table of n clients of a kind.
func titleOf(n int, kind string) string { return fmt.Sprintf("%d %s", n, kind) }

var singleFigures = []figure{
	{"touch_p50", "touch → answer, p50", milliseconds},
	{"touch_p99", "touch → answer, p99", milliseconds},
}

var crowdFigures = []figure{
	{"memory", "memory of each", kib},
	{"memory_events", "memory of each, an event each", kib},
	{"idle", "CPU while all wait", ofACore},
	{"idle_events", "CPU while all wait, an event each", ofACore},
	{"last", "touch → last answer", milliseconds},
	{"cpu", "CPU of an answer and the next poll", microseconds},
	{"peak", "rise of memory meanwhile", mib},
	{"gone", "all leave → nobody waits (3,000: never)", milliseconds},
	{"front_memory", "nginx: memory of each", kib},
	{"front_cpu", "nginx: CPU of an answer and the next poll", microseconds},
	{"both_cpu", "the program and nginx: CPU of an answer and the next poll", microseconds},
}

var streamFigures = []figure{
	{"memory", "memory of each", kib},
	{"idle", "CPU while all wait", ofACore},
	{"last", "touch → last client has it", milliseconds},
	{"cpu", "CPU of an event", microseconds},
	{"front_memory", "nginx: memory of each", kib},
	{"front_cpu", "nginx: CPU of an event", microseconds},
	{"both_cpu", "the program and nginx: CPU of an event", microseconds},
}

var storeFigures = []figure{
	{"other_p50", "publish by URL on one → answer of the other, p50", milliseconds},
	{"other_p99", "publish by URL on one → answer of the other, p99", milliseconds},
	{"idle", "CPU while all wait, an event each", ofACore},
	{"idle_elsewhere", "the same, while other events are published", ofACore},
	{"elsewhere", "publications of these other events", perSecond},
}

var serverFigures = []figure{
	{"first", "first bytes", milliseconds},
	{"touch", "touch → event", milliseconds},
	{"data", "data → event", milliseconds},
	{"gone", "browser leaves → freed", milliseconds},
}

// samples are the values of a figure, in the order of time.
type samples []float64

func (s samples) quantile(q float64) float64 {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

func (s samples) median() float64 { return s.quantile(0.5) }

// MarshalJSON adds the median.
func (s samples) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"median": s.median(), "samples": []float64(s)})
}

// measurement is a column of a table.
type measurement struct {
	Table   string             `json:"table"` // its title
	Program string             `json:"program"`
	Waiters int                `json:"waiters"`
	Figures map[string]samples `json:"figures"`

	rows []figure
}

func (m *measurement) add(key string, value float64) { m.Figures[key] = append(m.Figures[key], value) }

// addQuantiles adds a figure's samples, their median and their 99th percentile.
func (m *measurement) addQuantiles(key string, values samples) {
	if len(values) > 0 {
		m.Figures[key] = values
		m.add(key+"_p50", values.median())
		m.add(key+"_p99", values.quantile(0.99))
	}
}

// report has all measurements, and where they were made.
type report struct {
	Date         time.Time      `json:"date"`
	Commit       string         `json:"commit,omitempty"`
	Machine      string         `json:"machine"`
	Through      string         `json:"through"`
	Baseline     string         `json:"baseline,omitempty"`
	Measurements []*measurement `json:"measurements"`
}

func newReport(ctx context.Context, o options) *report {
	r := &report{
		Date: time.Now().UTC().Truncate(time.Second), Machine: machine(), Through: string(o.with), Baseline: o.baseline,
	}
	if r.Through == "" {
		r.Through = "FastCGI as nginx speaks it"
	}
	text, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=10").Output()
	if err == nil {
		r.Commit = strings.TrimSpace(string(text))
	}
	return r
}

func machine() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return runtime.GOOS
	}
	model := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, line, ok := strings.Cut(string(text), "model name"); ok {
			line, _, _ = strings.Cut(line, "\n")
			model = strings.TrimLeft(line, "\t: ")
		}
	}
	release := unix.ByteSliceToString(name.Release[:])
	return fmt.Sprintf("%d × %s, Linux %s, %s", runtime.NumCPU(), model, release, runtime.Version())
}

// add adds a measurement to the table with this title.
func (r *report) add(table, program string, waiters int, rows []figure) *measurement {
	m := &measurement{Table: table, Program: program, Waiters: waiters, Figures: map[string]samples{}, rows: rows}
	r.Measurements = append(r.Measurements, m)
	return m
}

// print prints the medians: a table for each title, a column for each measurement, a row for each figure.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%s  %s\n%s; medians\n", r.Date.Format(time.DateOnly), r.Machine, r.Through)
	for left := r.Measurements; len(left) > 0; {
		n := slices.IndexFunc(left, func(m *measurement) bool { return m.Table != left[0].Table })
		if n < 0 {
			n = len(left)
		}
		fmt.Fprintln(w)
		printTable(w, left[:n])
		left = left[n:]
	}
}

// printTable also prints how two columns compare.
func printTable(w io.Writer, columns []*measurement) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer table.Flush()
	fmt.Fprintf(table, "%-60s\t", columns[0].Table)
	for _, m := range columns {
		fmt.Fprintf(table, "%s\t", m.Program)
	}
	fmt.Fprintln(table, "\t1 :\t")
	for _, f := range columns[0].rows {
		var values []float64
		row := ""
		for _, m := range columns {
			if len(m.Figures[f.key]) == 0 {
				row += "-\t"
				continue
			}
			values = append(values, m.Figures[f.key].median())
			row += fmt.Sprintf("%.*f\t", f.unit.digits, m.Figures[f.key].median()/f.unit.size)
		}
		ratio := ""
		if len(columns) == 2 && len(values) == 2 && values[0] > 0 && values[1] > 0 {
			ratio = fmt.Sprintf("%.1f", values[1]/values[0])
		}
		if len(values) > 0 {
			fmt.Fprintf(table, "%-60s\t%s%s\t%s\t\n", f.label, row, f.unit.name, ratio)
		}
	}
}

func writeJSON(path string, figures any) error {
	text, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		return errors.Wrap(err, "writing the figures")
	}
	return errors.Wrap(os.WriteFile(path, append(text, '\n'), 0o644), "writing the figures")
}
