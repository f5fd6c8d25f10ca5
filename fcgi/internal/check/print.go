package check

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/pkg/errors"
)

// Text writes the report for a person: a line for each finding, below it what to do.
func (r *Report) Text(w io.Writer) error {
	var b strings.Builder
	key, value := 0, 0
	for _, s := range r.Settings {
		key, value = max(key, len(s.Key)), max(value, len(s.Value))
	}
	for _, s := range r.Settings {
		fmt.Fprintf(&b, "%-*s  %-*s  %s\n", key, s.Key, value, s.Value, s.From)
	}
	if len(r.Settings) > 0 {
		b.WriteByte('\n')
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-7s  %-13s  %s\n", f.Verdict, f.Check, plain(f.Found))
		if f.Do != "" {
			fmt.Fprintf(&b, "%-7s  %-13s  → %s\n", "", "", plain(f.Do))
		}
	}
	_, err := io.WriteString(w, b.String())
	return errors.Wrap(err, "print the report")
}

// JSON writes the report for a program: {"verdict": …, "findings": […], "settings": […]}.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return errors.Wrap(e.Encode(struct {
		Verdict Verdict `json:"verdict"`
		*Report
	}{r.Verdict(), r}), "print the report")
}

// plain is a text in one line that a terminal takes for nothing else: some of it comes from a web server.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || 0x7f <= r && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}
