package access

import (
	"fmt"
	"slices"

	"novcomet/core/event"
)

// Format says what the messages of a stream contain.
type Format uint8

// The formats. A page inserts the data of [Raw] and [Turbo] streams as HTML.
const (
	Native Format = iota // the answer that a precise poll would get
	Raw                  // the data as it was published, for htmx and every client of Server-Sent Events
	Turbo                // a Turbo Stream, which replaces an element of the page
)

var formatNames = [...]string{Native: "", Raw: "raw", Turbo: "turbo"}

// String returns the format as a query has it.
func (f Format) String() string { return formatNames[f] }

// ParseFormat returns the format with a name: raw or turbo.
func ParseFormat(name string) (Format, error) {
	if f := slices.Index(formatNames[:], name); f > int(Native) {
		return Format(f), nil
	}
	return Native, fmt.Errorf("%.40q is not a format", name)
}

// ParseFormats returns the formats with these names.
func ParseFormats(names []string) ([]Format, error) {
	formats := []Format{}
	for _, name := range names {
		f, err := ParseFormat(name)
		if err != nil {
			return nil, err
		}
		formats = append(formats, f)
	}
	return formats, nil
}

// FormatDenied returns why a stream of these events may not have the format, and "" if it may. A page would
// insert the HTML of visitors, so it may not if visitors can publish one of the events.
func (r *Rules) FormatDenied(f Format, subscriptions []event.Subscription) string {
	if f == Native {
		return ""
	}
	if !slices.Contains(r.Formats, f) {
		return fmt.Sprintf("format=%s is not allowed here (stream.formats)", f)
	}
	here, where := r.VisitorsPublish(), ""
	for _, s := range subscriptions {
		switch {
		case here.Match(s.ID):
			where = "by URL"
		case r.Elsewhere.Match(s.ID):
			where = "at another URL"
		default:
			continue
		}
		return fmt.Sprintf("format=%s is not allowed for %q: visitors may publish it %s (publish.allow), "+
			"and a page would insert their HTML", f, s.ID.String(), where)
	}
	return ""
}

// VisitorsPublish matches the ids that a visitor may publish by URL, with a login or without one.
func (r *Rules) VisitorsPublish() Matcher {
	if r.Methods != nil && len(r.Methods) == 0 {
		return nil
	}
	return r.Publish.ForAnyUser()
}
