package soak

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"novcomet/examples/internal/launch"
)

// Report is what a run has found. Times are in seconds.
type Report struct {
	Server       launch.Server  `json:"server"`
	Seconds      float64        `json:"seconds"`
	Pages        int            `json:"pages"`
	Restarts     int            `json:"restarts"`     // of comet-fcgi
	Restart      float64        `json:"restart"`      // the longest
	Reloads      int            `json:"reloads"`      // of the web server
	Publications map[string]int `json:"publications"` // by way
	Answers      int            `json:"answers"`
	Unchanged    int            `json:"unchanged"` // of the answers
	Expected     int            `json:"expected"`  // deliveries: pages times publications of their events
	Missed       int            `json:"missed"`    // of those: Never + Late
	Never        int            `json:"never"`     // neither this publication nor a later one arrived
	Late         int            `json:"late"`
	Resent       int            `json:"resent"`   // polls, because the web server had closed the kept connection
	Unread       float64        `json:"unread"`   // the longest time until it had closed one
	Spurious     int            `json:"spurious"` // deliveries that nobody had published
	Ended        int            `json:"ended"`    // pages, because of an error
	Errors       map[string]int `json:"errors"`   // by kind
	Delays       map[kind]Delay `json:"delays"`
	Details      []string       `json:"details,omitempty"` // the first faults
	Log          string         `json:"-"`                 // of the web server and NovComet
}

// Delay is the time from a publication to its delivery, without what is excused.
type Delay struct {
	Median  float64 `json:"median"`
	Longest float64 `json:"longest"`
	Allowed float64 `json:"allowed"` // of the page that may wait longest
}

func (s *soak) newReportLocked() *Report {
	r := &Report{
		Server: s.options.Server, Seconds: s.options.Time.Seconds(), Pages: s.options.Pages,
		Restarts: len(s.restarts), Reloads: s.reloads, Publications: map[string]int{},
		Answers: s.answers, Unchanged: s.unchanged, Errors: maps.Clone(s.errors), Delays: map[kind]Delay{},
	}
	for _, p := range s.publications {
		r.Publications[p.way]++
	}
	for _, g := range s.restarts {
		r.Restart = max(r.Restart, g.to.Sub(g.from).Seconds())
	}
	return r
}

// detail keeps the first faults.
func (r *Report) detail(format string, args ...any) {
	const most = 20
	if len(r.Details) < most {
		r.Details = append(r.Details, fmt.Sprintf(format, args...))
	}
}

// Good reports whether deliveries were expected, and nothing was missed, spurious or an error.
func (r *Report) Good() bool {
	return r.Expected > 0 && r.Missed == 0 && r.Spurious == 0 && r.Ended == 0 && len(r.Errors) == 0
}

func (r *Report) Print(w io.Writer) {
	fmt.Fprintf(w, "%g s through %s, which was reloaded %d times; %d pages, half of them legacy; "+
		"comet-fcgi was restarted %d times (%.1f s at most)\n\n",
		r.Seconds, r.Server, r.Reloads, r.Pages, r.Restarts, r.Restart)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(what string, n int, more string) { fmt.Fprintf(table, "%s\t%8d\t%s\n", what, n, more) }
	published, ways := summary(r.Publications)
	failed, kinds := summary(r.Errors)
	line("publications", published, ways)
	line("answers", r.Answers, fmt.Sprintf("%d of them unchanged", r.Unchanged))
	line("sent again", r.Resent, fmt.Sprintf("polls that the web server had not read, for %.1f s at most", r.Unread))
	line("deliveries expected", r.Expected, "pages times publications of their events")
	line("missed", r.Missed, fmt.Sprintf("%d never delivered, %d too late", r.Never, r.Late))
	line("spurious", r.Spurious, "deliveries that nobody had published")
	line("ended", r.Ended, "pages")
	line("errors", failed, kinds)
	for _, kind := range slices.Sorted(maps.Keys(r.Delays)) {
		d := r.Delays[kind]
		fmt.Fprintf(table, "delay, %s\t%8.3f\ts at most; %.3f s in the median, %.1f s allowed\n",
			kind, d.Longest, d.Median, d.Allowed)
	}
	table.Flush()
	for _, detail := range r.Details {
		fmt.Fprintln(w, detail)
	}
}

// summary returns the sum of the counts, and a list of them.
func summary(counts map[string]int) (sum int, list string) {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		sum += counts[key]
		parts = append(parts, fmt.Sprintf("%s: %d", key, counts[key]))
	}
	return sum, strings.Join(parts, "; ")
}
