package core

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// Carrier is a Store whose events can carry data. The latest data wins: an event is a state, not a log.
type Carrier interface {
	Store

	// PublishData is Publish, and what the event carries is replaced by data, which may be empty: whoever looks sees the old
	// data or the new, never half of it. Publish leaves the data as it is.
	PublishData(ctx context.Context, id ID, data []byte) (Stamp, error)

	// Data returns what the events carry, in the order asked. What belongs to a stamp that [Store.Stamps] gave before is
	// there, or what was published later. Data of more than limit bytes, or that can't be read, is left out; an error
	// means that the store is gone.
	Data(ctx context.Context, ids []ID, limit int) ([][]byte, error)
}

// ErrRefused is wrapped by the error of a publication that the store's own rules forbid.
var ErrRefused = errors.New("the store refuses this")

// DefaultMaxData is how much data an event carries at the most, unless told otherwise, in bytes.
const DefaultMaxData = 64 << 10

// DefaultMaxAnswerData is how much the events of one answer carry together, unless told otherwise, in bytes.
const DefaultMaxAnswerData = 1 << 20

// asJSON returns data as what stands in an answer: JSON as it is, in one line, and any other text as a string. One newline
// at its end, which is echo's, does not count. nil: there is nothing, or it is not UTF-8.
func asJSON(data []byte) json.RawMessage {
	data = bytes.TrimSuffix(data, []byte("\n"))
	if len(bytes.TrimSpace(data)) == 0 || !utf8.Valid(data) {
		return nil
	}
	var line bytes.Buffer
	if json.Valid(data) && json.Compact(&line, data) == nil {
		return line.Bytes()
	}
	text, err := json.Marshal(string(data))
	if err != nil {
		return nil
	}
	return text
}
