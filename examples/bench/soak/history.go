package soak

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// History is what a run has recorded, and all that the judges know. As JSON lines, each record has a type.
type History struct {
	mu       sync.Mutex // protects the following
	settings settings
	pages    []*pageRecord
	polls    []*pollRecord
	// publications are of all publishers.
	publications []*publication
	disturbances []*disturbed
}

// micros is a time in microseconds since 1970, or a duration in microseconds.
type micros int64

func toMicros(d time.Duration) micros { return micros(d.Microseconds()) }

func now() micros { return micros(time.Now().UnixMicro()) }

func (m micros) duration() time.Duration { return time.Duration(m) * time.Microsecond }

func (m micros) String() string { return time.UnixMicro(int64(m)).Format("15:04:05.000000") }

// settings are what the judges must know of a run.
type settings struct {
	Type     string `json:"type"`
	Slack    micros `json:"slack"`
	Sleep    micros `json:"sleep"`
	Notifies bool   `json:"notifies"` // A change is noticed at once.
	Seed     uint64 `json:"seed"`
	Previous bool   `json:"previous"` // A previous release takes turns.
	End      micros `json:"end"`      // when the pages stopped
}

// pageRecord is a page that has begun to poll.
type pageRecord struct {
	Type  string   `json:"type"`
	Page  int      `json:"page"`
	Kind  kind     `json:"kind"`
	IDs   []string `json:"ids"`
	Ahead micros   `json:"ahead"` // how far its clock is ahead of the server's
}

// pollRecord is what a page asked and was answered. Each event of a stream is one, too.
type pollRecord struct {
	Type    string            `json:"type"`
	Page    int               `json:"page"`
	Sent    micros            `json:"sent"`
	At      micros            `json:"at"`               // when it was answered, or failed
	Resent  micros            `json:"resent,omitempty"` // when the browser sent it again, because it was not read
	Cursors map[string]string `json:"cursors"`
	Data    bool              `json:"data,omitempty"`
	Answer  string            `json:"answer,omitempty"`
	Error   string            `json:"error,omitempty"`
	Ended   bool              `json:"ended,omitempty"` // The page does not poll any more.
}

// publication is what a publisher did, and what it found in the store afterwards.
type publication struct {
	Type  string  `json:"type"`
	ID    string  `json:"id"`
	Way   string  `json:"way"`
	Start micros  `json:"start"`
	End   micros  `json:"end"` // when the stamp was read
	Error string  `json:"error,omitempty"`
	Stamp micros  `json:"stamp"`          // afterwards; 0: the event does not exist, or cannot be read
	Data  *string `json:"data,omitempty"` // nil: the data stays
}

// disturbed is a time in which something was disturbed.
type disturbed struct {
	Type   string `json:"type"`
	Kind   string `json:"kind"`
	Target string `json:"target,omitempty"`
	Start  micros `json:"start"`
	End    micros `json:"end"`
	Ahead  micros `json:"ahead,omitempty"` // how far a clock was set forward, until the end
}

func (h *History) add(record any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch r := record.(type) {
	case *pageRecord:
		r.Type, h.pages = "page", append(h.pages, r)
	case *pollRecord:
		r.Type, h.polls = "poll", append(h.polls, r)
	case *publication:
		r.Type, h.publications = "publication", append(h.publications, r)
	case *disturbed:
		r.Type, h.disturbances = "disturbance", append(h.disturbances, r)
	}
}

// finish records that the pages stop.
func (h *History) finish() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settings.End = now()
}

// Write writes the history as JSON lines.
func (h *History) Write(w io.Writer) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settings.Type = "run"
	records := []any{h.settings}
	for _, r := range h.pages {
		records = append(records, r)
	}
	for _, r := range h.polls {
		records = append(records, r)
	}
	for _, r := range h.publications {
		records = append(records, r)
	}
	for _, r := range h.disturbances {
		records = append(records, r)
	}
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	for _, r := range records {
		if err := lines.Encode(r); err != nil {
			return errors.Wrap(err, "writing the history")
		}
	}
	return nil
}
