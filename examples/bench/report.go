package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"
)

// report is everything that was measured, and where.
type report struct {
	Date         time.Time      `json:"date"`
	Commit       string         `json:"commit,omitempty"`
	Machine      string         `json:"machine"`
	Through      string         `json:"through"`
	Rounds       int            `json:"rounds"`
	Measurements []*measurement `json:"measurements"`
}

func newReport(ctx context.Context, o options) *report {
	through := o.with
	if through == "" {
		through = "FastCGI as nginx speaks it"
	}
	return &report{
		Date: time.Now().UTC().Truncate(time.Second), Commit: commit(ctx), Machine: machine(), Through: through, Rounds: o.rounds,
	}
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
	return fmt.Sprintf("%d × %s, Linux %s, %s", runtime.NumCPU(), model, unix.ByteSliceToString(name.Release[:]), runtime.Version())
}

// median returns a figure of a program with so many waiters.
func (r *report) median(program string, waiters int, key string) (value float64, ok bool) {
	for _, m := range r.Measurements {
		if m.Program == program && m.Waiters == waiters {
			if samples := m.Figures[key]; len(samples) > 0 {
				// Memory grows from round to round, or does not: the last one counts.
				if key == "memory_rounds" || key == "memory_gone" {
					return samples[len(samples)-1], true
				}
				return samples.median(), true
			}
		}
	}
	return 0, false
}

// sizes returns the numbers of waiters that were measured of these programs.
func (r *report) sizes(programs ...string) []int {
	var sizes []int
	for _, m := range r.Measurements {
		if slices.Contains(programs, m.Program) {
			sizes = append(sizes, m.Waiters)
		}
	}
	slices.Sort(sizes)
	return slices.Compact(sizes)
}

// print prints the tables: medians, and how what is on the right compares.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%s  %s\n%s; %d rounds; medians\n\n", r.Date.Format(time.DateOnly), r.Machine, r.Through, r.Rounds)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	r.compare(table, kinds[0], kinds[1], slices.Concat(single, many, front))
	r.compare(table, kind{name: streams, title: streams}, kind{name: polls, title: polls}, reading)
	table.Flush()
}

func (r *report) compare(table io.Writer, left, right kind, figures []figure) {
	for _, waiters := range r.sizes(left.name, right.name) {
		fmt.Fprintf(table, "%-55s\t%s\t%s\t\t1 :\t\n", fmt.Sprintf("%d waiting", waiters), left.title, right.title)
		for _, f := range figures {
			ours, ok := r.median(left.name, waiters, f.key)
			other, okToo := r.median(right.name, waiters, f.key)
			if ok || okToo {
				fmt.Fprintf(table, "%-55s\t%s\t%s\t%s\t%s\t\n", f.label, show(f, ours, ok), show(f, other, okToo), f.unit.name, ratio(ours, other, ok && okToo))
			}
		}
		fmt.Fprintln(table, "\t\t\t\t\t")
	}
}

func show(f figure, value float64, ok bool) string {
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.*f", f.unit.digits, value/f.unit.size)
}

func ratio(ours, plain float64, ok bool) string {
	if !ok || ours <= 0 || plain <= 0 {
		return ""
	}
	if plain/ours < 10 {
		return fmt.Sprintf("%.1f", plain/ours)
	}
	return fmt.Sprintf("%.0f", plain/ours)
}

func writeJSON(path string, figures any) error {
	text, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		return errors.Wrap(err, "writing the figures")
	}
	return errors.Wrap(os.WriteFile(path, append(text, '\n'), 0o644), "writing the figures")
}
