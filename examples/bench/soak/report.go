package soak

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"novcomet/examples/internal/launch"
)

// Report is what a run has shown.
type Report struct {
	Server       launch.Server  `json:"server"`
	Seconds      float64        `json:"seconds"`
	Pages        int            `json:"pages"`
	Restarts     int            `json:"restarts"`     // of comet-fcgi
	Restart      float64        `json:"restart"`      // the longest, in seconds
	Reloads      int            `json:"reloads"`      // of the web server
	Publications map[string]int `json:"publications"` // by way
	Answers      int            `json:"answers"`
	Unchanged    int            `json:"unchanged"` // of the answers
	Judged       int            `json:"judged"`    // pages to be told of a publication
	Missed       int            `json:"missed"`    // of those; Never + Late
	Never        int            `json:"never"`     // told neither of it nor of a later one
	Late         int            `json:"late"`
	Repeated     int            `json:"repeated"` // polls sent again, because the web server had closed a kept connection
	Lain         float64        `json:"lain"`     // until it had, at the longest, in seconds
	Spurious     int            `json:"spurious"` // events in answers that nobody had published
	Died         int            `json:"died"`     // pages
	Errors       map[string]int `json:"errors"`   // by kind
	Delays       map[kind]Delay `json:"delays"`
	Details      []string       `json:"details,omitempty"` // of what was wrong, the first of it
	Log          string         `json:"-"`                 // what the server and NovComet had to say
}

// Delay is how long after a publication pages were told of it, in seconds; what deaf tells is left out.
type Delay struct {
	Median  float64 `json:"median"`
	Longest float64 `json:"longest"`
	Allowed float64 `json:"allowed"` // the most, of any page of this kind
}

func (s *soak) newReport() *Report {
	r := &Report{
		Server: s.options.Server, Seconds: s.options.Time.Seconds(), Pages: s.options.Pages,
		Restarts: len(s.outages), Reloads: s.reloads, Publications: map[string]int{},
		Answers: s.answers, Unchanged: s.unchanged, Errors: maps.Clone(s.record.errors), Delays: map[kind]Delay{},
	}
	for _, p := range s.publications {
		r.Publications[p.way]++
	}
	for _, o := range s.outages {
		r.Restart = max(r.Restart, seconds(o.to.Sub(o.from)))
	}
	return r
}

// tell keeps the first of what was wrong.
func (r *Report) tell(format string, args ...any) {
	const enough = 20
	if len(r.Details) < enough {
		r.Details = append(r.Details, fmt.Sprintf(format, args...))
	}
}

// Good reports whether something was tried, and nothing was missed, told without reason, or failed.
func (r *Report) Good() bool {
	return r.Judged > 0 && r.Missed == 0 && r.Spurious == 0 && r.Died == 0 && len(r.Errors) == 0
}

// Print prints the report.
func (r *Report) Print(w io.Writer) {
	fmt.Fprintf(w, "%g s through %s: %d pages, half of them whole-second; comet-fcgi restarted %d times (%.1f s at the longest), %s reloaded %d times\n\n",
		r.Seconds, r.Server, r.Pages, r.Restarts, r.Restart, r.Server, r.Reloads)
	published, ways := 0, []string{}
	for _, way := range slices.Sorted(maps.Keys(r.Publications)) {
		published += r.Publications[way]
		ways = append(ways, fmt.Sprintf("%s %d", way, r.Publications[way]))
	}
	failed, kinds := 0, []string{}
	for _, kind := range slices.Sorted(maps.Keys(r.Errors)) {
		failed += r.Errors[kind]
		kinds = append(kinds, fmt.Sprintf("%s: %d", kind, r.Errors[kind]))
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(what string, n int, more string) { fmt.Fprintf(table, "%s\t%8d\t%s\n", what, n, more) }
	line("publications", published, strings.Join(ways, ", "))
	line("answers", r.Answers, fmt.Sprintf("%d of them unchanged", r.Unchanged))
	line("sent again", r.Repeated, fmt.Sprintf("polls, for the web server had closed their connection, after %.1f s at the longest", r.Lain))
	line("to be told of one", r.Judged, "pages times publications of their events")
	line("missed", r.Missed, fmt.Sprintf("%d never told, %d too late", r.Never, r.Late))
	line("spurious", r.Spurious, "told of what nobody had published")
	line("died", r.Died, "pages")
	line("errors", failed, strings.Join(kinds, "; "))
	for _, kind := range slices.Sorted(maps.Keys(r.Delays)) {
		d := r.Delays[kind]
		fmt.Fprintf(table, "told after, %s\t%8.3f\ts at the longest; %.3f s in the median, %.1f s allowed\n", kind, d.Longest, d.Median, d.Allowed)
	}
	table.Flush()
	for _, detail := range r.Details {
		fmt.Fprintln(w, detail)
	}
}

func seconds(d time.Duration) float64 { return d.Seconds() }
