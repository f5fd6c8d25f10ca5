package core

import (
	"bytes"
	"context"
	"encoding/json"
	stderrors "errors"
	"fmt"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// Carrier is a Store whose events can carry data. The latest data wins: an event is a state, not a log.
type Carrier interface {
	Store

	// PublishData is Publish, and what the event carries is replaced by data, which may be empty: whoever looks sees the old
	// data or the new, never half of it. Publish leaves the data as it is.
	PublishData(ctx context.Context, id ID, data []byte) (Stamp, error)

	// Data returns what the events carry, in the order asked. What belongs to a stamp that [Store.Stamps] gave before is
	// there, or what was published later. Data of more than limit bytes, or that can't be read, is left out, and its Content has the
	// reason; an error means that the store is gone.
	Data(ctx context.Context, ids []ID, limit int) ([]Content, error)
}

// Content is what one event carries.
type Content struct {
	Data []byte
	// Err says why the data is left out, such as [ErrTooLong]; nil: Data is what there is.
	Err error
}

// ErrTooLong is wrapped by the Err of a [Content] whose data has more bytes than were asked for.
var ErrTooLong = stderrors.New("the data is too long (data.max_bytes)")

// Limited returns the Content of an event with this data, of which at most so many bytes are asked for.
func Limited(data []byte, limit int) Content {
	if len(data) > limit {
		return Content{Err: ErrTooLong}
	}
	return Content{Data: data}
}

// ErrRefused is wrapped by the error of a publication that the store's own rules forbid.
var ErrRefused = stderrors.New("the store refuses this")

// DefaultMaxData is how much data an event carries at the most, unless told otherwise, in bytes.
const DefaultMaxData = 64 << 10

// DefaultMaxAnswerData is how much the events of one answer carry together, unless told otherwise, in bytes.
const DefaultMaxAnswerData = 1 << 20

func (c Content) json() (json.RawMessage, error) {
	if c.Err != nil {
		return nil, c.Err
	}
	return asJSON(c.Data)
}

// MaxDepth is how deep JSON that an event carries may be nested. Browsers parse any depth, but Chromium can't copy a value of some
// thousand levels from one window to another.
const MaxDepth = 100

var errNotText = stderrors.New("the data is not UTF-8 text, but compressed, binary or in another encoding such as Latin-1: " +
	"convert it to UTF-8 (iconv -f latin1 -t utf-8), or send binary data as base64")

var errTooDeep = fmt.Errorf("the data is JSON nested deeper than %d levels", MaxDepth)

// CheckData returns why no client could be given the data; nil: it can be delivered. Empty data can be.
func CheckData(data []byte) error {
	_, err := asJSON(data)
	return err
}

// asJSON returns data as it is written in an answer: JSON as it is, in one line, and any other text as a string. One newline
// at its end, which is echo's, does not count. nil: there is nothing, or the error says why it can't be delivered.
func asJSON(data []byte) (json.RawMessage, error) {
	data = bytes.TrimSuffix(data, []byte("\n"))
	switch {
	case !utf8.Valid(data):
		return nil, errNotText
	case len(bytes.TrimSpace(data)) == 0:
		return nil, nil
	}
	const deepest = 10_000 // for encoding/json, which takes deeper JSON for text
	depth := depthOf(data)
	valid := json.Valid(data)
	if depth > MaxDepth && valid || depth > deepest {
		return nil, errTooDeep
	}
	if valid {
		var line bytes.Buffer
		err := json.Compact(&line, data)
		return line.Bytes(), errors.Wrap(err, "the data")
	}
	text, err := json.Marshal(string(data))
	return text, errors.Wrap(err, "the data")
}

// depthOf returns how deep JSON is nested; of other text, how many of its brackets are open at most.
func depthOf(data []byte) (deepest int) {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[', c == '{':
			depth++
			deepest = max(deepest, depth)
		case c == ']', c == '}':
			depth--
		}
	}
	return deepest
}
