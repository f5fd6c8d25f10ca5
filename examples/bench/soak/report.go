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

// Verdict is what both judges must agree on.
type Verdict struct {
	Expected   int            `json:"expected"`   // deliveries: pages times publications of their events
	Never      int            `json:"never"`      // of those: neither this publication nor a later one arrived
	Late       int            `json:"late"`       // of those
	Excused    map[string]int `json:"excused"`    // of those: never or late, by a loss that the manual lists
	Invented   int            `json:"invented"`   // deliveries that nobody had published
	Disordered int            `json:"disordered"` // deliveries of a stamp that the page had, or of an older one
	Torn       int            `json:"torn"`       // deliveries whose data nobody had published, or without data
	Stale      int            `json:"stale"`      // deliveries whose data is older than their stamp
	Early      int            `json:"early"`      // unchanged answers and ends of streams before the wait was over
	Overdue    int            `json:"overdue"`    // answers and streams that did not end in time
	Ended      int            `json:"ended"`      // pages, although the web server had no reason for an error
	Closed     map[string]int `json:"closed"`     // pages of comet.php's client, by an error that a disturbance explains
	Failed     map[string]int `json:"failed"`     // requests and publications, by kind; a disturbance explains them
	Errors     map[string]int `json:"errors"`     // the same, without an explanation
}

// Report is what a run has found. Times are in seconds.
type Report struct {
	Server       launch.Server  `json:"server"`
	Store        string         `json:"store"`
	Seconds      float64        `json:"seconds"`
	Pages        int            `json:"pages"`
	Seed         uint64         `json:"seed"`
	Disturbances map[string]int `json:"disturbances"` // by kind
	Longest      float64        `json:"longest"`      // of them
	Publications map[string]int `json:"publications"` // by way
	Answers      int            `json:"answers"`
	Missed       int            `json:"missed"` // Never + Late
	Verdict
	Problems map[string]int `json:"problems"` // of the soak itself, and what the judges cannot see
	Resent   int            `json:"resent"`   // polls, because the web server had closed the kept connection
	Unread   float64        `json:"unread"`   // the longest time until it had closed one
	Delays   map[kind]Delay `json:"delays"`
	Used     [2]Usage       `json:"used"`              // by comet-fcgi, before the pages and after them
	Details  []string       `json:"details,omitempty"` // the first faults
	Log      string         `json:"-"`                 // of the web server and NovComet

	delays map[kind][]micros
}

// Delay is the time from a publication to its delivery, without what is excused.
type Delay struct {
	Median  float64 `json:"median"`
	Longest float64 `json:"longest"`
}

func newReport(h *History) *Report {
	r := &Report{
		Disturbances: map[string]int{}, Publications: map[string]int{}, Delays: map[kind]Delay{},
		Problems: map[string]int{},
		Verdict: Verdict{
			Excused: map[string]int{}, Closed: map[string]int{}, Failed: map[string]int{}, Errors: map[string]int{},
		},
		delays: map[kind][]micros{},
	}
	for _, d := range h.Disturbances {
		r.Disturbances[d.Kind]++
		r.Longest = max(r.Longest, (d.End - d.Start).duration().Seconds())
	}
	return r
}

func (r *Report) finish() {
	r.Missed = r.Never + r.Late
	for kind, all := range r.delays {
		slices.Sort(all)
		r.Delays[kind] = Delay{all[len(all)/2].duration().Seconds(), all[len(all)-1].duration().Seconds()}
	}
}

// complete adds what the history does not have.
func (s *soak) complete(r *Report) {
	r.Server, r.Store = s.options.Server, s.options.Store
	r.Seconds, r.Pages, r.Seed, r.Used = s.options.Time.Seconds(), s.options.Pages, s.options.Seed, s.used
	s.mu.Lock()
	defer s.mu.Unlock()
	for what, n := range s.failures {
		r.Problems[what] += n
	}
	if more := s.used[1].exceeds(s.used[0]); more != "" {
		r.Problems["comet-fcgi uses "+more+" than before the pages"]++
	}
}

// detail keeps the first faults.
func (r *Report) detail(format string, args ...any) {
	const most = 20
	if len(r.Details) < most {
		r.Details = append(r.Details, fmt.Sprintf(format, args...))
	}
}

// Good reports whether deliveries were expected, and nothing was missed or wrong.
func (r *Report) Good() bool {
	return r.Expected > 0 && r.Missed+r.Invented+r.Disordered+r.Torn+r.Stale+r.Early+r.Overdue+
		r.Ended+len(r.Errors)+len(r.Problems) == 0
}

func (r *Report) Print(w io.Writer) {
	fmt.Fprintf(w, "%g s through %s, with the store %s; %d pages, half of them legacy; seed %d\n\n",
		r.Seconds, r.Server, r.Store, r.Pages, r.Seed)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(what string, n int, more string) { fmt.Fprintf(table, "%s\t%8d\t%s\n", what, n, more) }
	counts := func(what string, counts map[string]int) {
		sum, list := summary(counts)
		line(what, sum, list)
	}
	counts("disturbances", r.Disturbances)
	counts("publications", r.Publications)
	line("answers", r.Answers, "")
	line("sent again", r.Resent, fmt.Sprintf("polls that the web server had not read, for %.1f s at most", r.Unread))
	line("deliveries expected", r.Expected, "pages times publications of their events")
	line("missed", r.Missed, fmt.Sprintf("%d never delivered, %d too late", r.Never, r.Late))
	counts("excused", r.Excused)
	line("invented", r.Invented, "deliveries that nobody had published")
	line("out of order", r.Disordered, "deliveries of what the page had, or of something older")
	line("torn", r.Torn, "data that nobody had published, or is missing")
	line("stale", r.Stale, "data that is older than its stamp")
	line("too early", r.Early, "polls answered unchanged, and streams ended, before their time")
	line("overdue", r.Overdue, "polls and streams that did not end in time")
	line("ended", r.Ended, "pages")
	counts("ended by disturbances", r.Closed)
	counts("failed by disturbances", r.Failed)
	counts("errors", r.Errors)
	counts("problems", r.Problems)
	for _, kind := range slices.Sorted(maps.Keys(r.Delays)) {
		d := r.Delays[kind]
		fmt.Fprintf(table, "delay, %s\t%8.3f\ts at most; %.3f s in the median\n", kind, d.Longest, d.Median)
	}
	for i, when := range []string{"before the pages", "after the pages"} {
		if u := r.Used[i]; u.Files > 0 {
			fmt.Fprintf(table, "comet-fcgi, %s\t%8d\topen files; %.1f MiB\n", when, u.Files, u.MiB)
		}
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
