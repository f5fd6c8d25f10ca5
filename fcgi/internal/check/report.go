package check

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pkg/errors"

	"novcomet/conf"
)

// Verdict is the result of a check.
type Verdict string

// The verdicts, from the best to the worst.
const (
	OK      Verdict = "ok"
	Warning Verdict = "warning" // NovComet works, but not for everybody or not well
	Problem Verdict = "problem" // NovComet does not work
)

// Finding is one result.
type Finding struct {
	Check   string  `json:"check"` // the subject: "directory"
	Verdict Verdict `json:"verdict"`
	Found   string  `json:"found"`
	Do      string  `json:"do,omitempty"` // the remedy
}

// Report has all findings, in the order of the checks.
type Report struct {
	Findings []Finding    `json:"findings"`
	Settings []conf.Value `json:"settings,omitempty"` // all settings in force

	changed []conf.Value // the settings that differ from the defaults
	topic   string       // the Check of the next finding
}

// Verdict returns the worst verdict.
func (r *Report) Verdict() Verdict {
	worst := OK
	for _, f := range r.Findings {
		if f.Verdict == Problem || worst == OK {
			worst = f.Verdict
		}
	}
	return worst
}

func (r *Report) ok(format string, values ...any)          { r.add(OK, "", format, values...) }
func (r *Report) warn(do, format string, values ...any)    { r.add(Warning, do, format, values...) }
func (r *Report) problem(do, format string, values ...any) { r.add(Problem, do, format, values...) }

func (r *Report) add(v Verdict, do, format string, values ...any) {
	r.Findings = append(r.Findings, Finding{r.topic, v, fmt.Sprintf(format, values...), do})
}

// Text writes the report for people: the settings that differ from the defaults, then a line for each
// finding, with the remedy below. If verbose is true, it writes all settings.
func (r *Report) Text(w io.Writer, verbose bool) error {
	settings := r.changed
	if verbose {
		settings = r.Settings
	}
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range settings {
		fmt.Fprintf(out, "%s\t%s\t%s\n", s.Key, s.Value, s.From)
	}
	if len(settings) > 0 {
		fmt.Fprintln(out)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(out, "%-7s  %-13s  %s\n", f.Verdict, f.Check, printable(f.Found))
		if f.Do != "" {
			fmt.Fprintf(out, "%24s→ %s\n", "", printable(f.Do))
		}
	}
	return errors.Wrap(out.Flush(), "print the report")
}

// JSON writes the report for programs: {"verdict": …, "findings": […], "settings": […]}.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return errors.Wrap(e.Encode(struct {
		Verdict Verdict `json:"verdict"`
		*Report
	}{r.Verdict(), r}), "print the report")
}

// printable replaces control characters, which would change what a terminal shows. A web server may have
// sent them.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || 0x7f <= r && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}

// round shortens a duration to about three digits.
func round(d time.Duration) time.Duration {
	unit := time.Microsecond
	for d > 1000*unit {
		unit *= 10
	}
	return d.Round(unit)
}
