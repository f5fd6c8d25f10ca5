package check

import "fmt"

// Verdict is what a finding means.
type Verdict string

// The verdicts, from the best to the worst.
const (
	OK      Verdict = "ok"
	Warning Verdict = "warning" // it works, but not for everybody or not well
	Problem Verdict = "problem" // it does not work
)

// Finding is one thing that was looked at.
type Finding struct {
	Check   string  `json:"check"` // what was looked at: "directory"
	Verdict Verdict `json:"verdict"`
	Found   string  `json:"found"`
	Do      string  `json:"do,omitempty"` // what to do about it
}

// Report is all that was found.
type Report struct {
	Findings []Finding `json:"findings"`
	// Settings is the configuration in force, and where each value comes from.
	Settings []setting `json:"settings,omitempty"`
}

// Verdict is the worst of all.
func (r *Report) Verdict() Verdict {
	worst := OK
	for _, f := range r.Findings {
		switch {
		case f.Verdict == Problem:
			return Problem
		case f.Verdict == Warning:
			worst = Warning
		}
	}
	return worst
}

func (r *Report) ok(check, format string, values ...any) {
	r.Findings = append(r.Findings, Finding{check, OK, fmt.Sprintf(format, values...), ""})
}

func (r *Report) warn(check, do, format string, values ...any) {
	r.Findings = append(r.Findings, Finding{check, Warning, fmt.Sprintf(format, values...), do})
}

func (r *Report) problem(check, do, format string, values ...any) {
	r.Findings = append(r.Findings, Finding{check, Problem, fmt.Sprintf(format, values...), do})
}
