package core

import (
	"encoding/json"
	"maps"
	"strconv"
	"time"
)

// Figures tell how an [Endpoint] does: what there is at this moment, and what it has counted since it was made.
type Figures struct {
	// Waiting is how many polls wait, among them those of streams, and Streams how many streams there are.
	Waiting int `json:"waiting"`
	Streams int `json:"streams"`
	// Events is how many different events are waited for.
	Events int `json:"events"`

	// Changed, Unchanged and Left are the polls that were told of a change, those whose time was over, and those whose
	// client left before. The polls that streams are made of are not counted.
	Changed   uint64 `json:"polls_changed"`
	Unchanged uint64 `json:"polls_unchanged"`
	Left      uint64 `json:"polls_left"`
	// Began is how many streams there were.
	Began uint64 `json:"streams_began"`
	// Published is how many publications were stored, Unpublished how many the store refused or could not take.
	Published   uint64 `json:"publications"`
	Unpublished uint64 `json:"publications_failed"`
	// Errors are the requests that were answered with an HTTP error, by its status.
	Errors map[int]uint64 `json:"http_errors"`

	// Looks are those at the store.
	Looks Looks `json:"checks"`
}

// Looks are the checks of the store: each is one look at all events that were due.
type Looks struct {
	// Count is how many there were, Failed how many of them found the store gone, or a part of it.
	Count, Failed uint64
	// Time is what all of them took together, and Within how many took at most each of [LookBounds].
	Time   time.Duration
	Within [len(lookBounds)]uint64
}

var lookBounds = [...]time.Duration{100 * time.Microsecond, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, time.Second}

// LookBounds are the times that [Looks] are sorted by, from the shortest on.
func LookBounds() []time.Duration { return lookBounds[:] }

// MarshalJSON writes times in seconds: {"count":3,"failed":0,"seconds":0.012,"within":{"0.0001":1, …}}.
func (l Looks) MarshalJSON() ([]byte, error) {
	within := make(map[string]uint64, len(lookBounds))
	for i, bound := range lookBounds {
		within[strconv.FormatFloat(bound.Seconds(), 'g', -1, 64)] = l.Within[i]
	}
	return json.Marshal(map[string]any{"count": l.Count, "failed": l.Failed, "seconds": l.Time.Seconds(), "within": within})
}

// take counts one more look.
func (l *Looks) take(took time.Duration, failed bool) {
	l.Count++
	if failed {
		l.Failed++
	}
	l.Time += took
	for i, bound := range lookBounds {
		if took <= bound {
			l.Within[i]++
		}
	}
}

// Plus returns the figures of two endpoints as if they were one.
func (f Figures) Plus(g Figures) Figures {
	f.Waiting += g.Waiting
	f.Streams += g.Streams
	f.Events += g.Events
	f.Changed += g.Changed
	f.Unchanged += g.Unchanged
	f.Left += g.Left
	f.Began += g.Began
	f.Published += g.Published
	f.Unpublished += g.Unpublished
	errors := make(map[int]uint64, len(f.Errors)+len(g.Errors))
	maps.Copy(errors, f.Errors)
	for status, n := range g.Errors {
		errors[status] += n
	}
	f.Errors = errors
	f.Looks.Count += g.Looks.Count
	f.Looks.Failed += g.Looks.Failed
	f.Looks.Time += g.Looks.Time
	for i, n := range g.Looks.Within {
		f.Looks.Within[i] += n
	}
	return f
}

// Counted is what has been counted, without what there is at this moment: all that remains of an endpoint that has ended.
func (f Figures) Counted() Figures {
	f.Waiting, f.Streams, f.Events = 0, 0, 0
	return f
}
