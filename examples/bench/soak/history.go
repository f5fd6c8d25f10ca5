package soak

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// History is what a run has recorded, and all that the judges know.
type History struct {
	mu           sync.Mutex           // protects the following
	Run          settings             `json:"run"`
	Pages        []*pageRecord        `json:"pages"`
	Polls        []*pollRecord        `json:"polls"`
	Publications []*publication       `json:"publications"`
	Disturbances []*disturbanceRecord `json:"disturbances"`
}

// micros is a time in microseconds since 1970, or a duration in microseconds.
type micros int64

func toMicros(d time.Duration) micros { return micros(d.Microseconds()) }

func now() micros { return micros(time.Now().UnixMicro()) }

func (m micros) duration() time.Duration { return time.Duration(m) * time.Microsecond }

func (m micros) String() string { return time.UnixMicro(int64(m)).Format("15:04:05.000000") }

// settings are what the judges must know of a run.
type settings struct {
	Slack    micros `json:"slack"`
	Sleep    micros `json:"sleep"`
	Wait     micros `json:"wait"`     // how long a poll waits that is answered unchanged
	Age      micros `json:"age"`      // at which a stream ends
	Notifies bool   `json:"notifies"` // A change is noticed at once.
	End      micros `json:"end"`      // when the pages stopped
}

// pageRecord is a page that has begun to poll.
type pageRecord struct {
	Page  int      `json:"page"`
	Kind  kind     `json:"kind"`
	IDs   []string `json:"ids"`
	Ahead micros   `json:"ahead"` // how far its clock is ahead of the server's
}

// pollRecord is what a page asked and was answered. Each event of a stream has a record, too. So has the end
// of a stream, without an Answer.
type pollRecord struct {
	Page    int               `json:"page"`
	Sent    micros            `json:"sent"`
	At      micros            `json:"at"`               // when it was answered, or failed
	Opened  micros            `json:"opened,omitempty"` // when the stream was requested, if it is of one
	Resent  micros            `json:"resent,omitempty"` // when the browser sent it again, because it was not read
	Cursors map[string]string `json:"cursors"`
	Data    bool              `json:"data,omitempty"`
	Answer  string            `json:"answer,omitempty"`
	Error   string            `json:"error,omitempty"`
	Ended   bool              `json:"ended,omitempty"`   // The page does not poll any more.
	Pending bool              `json:"pending,omitempty"` // The page was closed before the answer came.
}

// publication is what a publisher did, and what it found in the store afterwards.
type publication struct {
	ID    string  `json:"id"`
	Way   string  `json:"way"`
	Start micros  `json:"start"`
	End   micros  `json:"end"` // when the stamp was read
	Error string  `json:"error,omitempty"`
	Stamp micros  `json:"stamp"`          // afterwards; 0: the event does not exist, or cannot be read
	Data  *string `json:"data,omitempty"` // nil: the data stays
}

// disturbanceRecord is a time in which something was disturbed.
type disturbanceRecord struct {
	Kind   string `json:"kind"`
	Target string `json:"target,omitempty"`
	Start  micros `json:"start"`
	End    micros `json:"end"`
	Ahead  micros `json:"ahead"` // how far a clock was set forward, until the end
}

func (h *History) add(record any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch r := record.(type) {
	case *pageRecord:
		h.Pages = append(h.Pages, r)
	case *pollRecord:
		h.Polls = append(h.Polls, r)
	case *publication:
		h.Publications = append(h.Publications, r)
	case *disturbanceRecord:
		h.Disturbances = append(h.Disturbances, r)
	}
}

// finish records that the pages stop.
func (h *History) finish() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Run.End = now()
}

// Write writes the history to a file, as JSON.
func (h *History) Write(path string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	text, err := json.Marshal(h)
	if err == nil {
		err = os.WriteFile(filepath.Clean(path), text, 0o644)
	}
	return errors.Wrap(err, "writing the history")
}
