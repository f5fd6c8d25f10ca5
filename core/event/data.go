package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	pkgerrors "github.com/pkg/errors"
)

// Form says how data is encoded in an answer.
type Form uint8

// The forms of data.
const (
	NoData Form = iota
	JSON        // as EncodeData returns it
	Lines       // as EncodeLines returns it
)

// MaxDepth is how deep JSON data may be nested. Browsers parse any depth, but Chromium cannot copy a value of
// some thousand levels from one window to another.
const MaxDepth = 100

// ErrNotText is wrapped by the error of data that is not UTF-8.
var ErrNotText = errors.New("the data is not UTF-8 text, but compressed, binary or in another encoding " +
	"such as Latin-1: convert it to UTF-8 (iconv -f latin1 -t utf-8), or send binary data as base64")

var errTooDeep = fmt.Errorf("the data is JSON nested deeper than %d levels", MaxDepth)

// EncodeData returns data as an answer contains it: JSON compacted to one line, any other text as a JSON
// string. One newline at the end, which echo adds, is dropped. The result is nil if the data is empty. The
// error says why the data cannot be delivered.
func EncodeData(data []byte) (json.RawMessage, error) {
	data = bytes.TrimSuffix(data, []byte("\n"))
	switch {
	case !utf8.Valid(data):
		return nil, ErrNotText
	case len(bytes.TrimSpace(data)) == 0:
		return nil, nil
	}
	const deepest = 10_000 // encoding/json calls deeper JSON invalid.
	depth := depthOf(data)
	valid := json.Valid(data)
	if depth > MaxDepth && valid || depth > deepest {
		return nil, errTooDeep
	}
	if valid {
		var line bytes.Buffer
		err := json.Compact(&line, data)
		return line.Bytes(), pkgerrors.Wrap(err, "the data")
	}
	text, err := json.Marshal(string(data))
	return text, pkgerrors.Wrap(err, "the data")
}

// EncodeLines returns data as it was published, for Server-Sent Events: "data: " stands before each line but
// the first. The client joins the lines with "\n". One newline at the end is dropped, as by EncodeData.
func EncodeLines(data []byte) []byte {
	return []byte(lineEnds.Replace(strings.TrimSuffix(string(data), "\n")))
}

// lineEnds replaces all line ends of Server-Sent Events.
var lineEnds = strings.NewReplacer("\r\n", "\ndata: ", "\r", "\ndata: ", "\n", "\ndata: ")

// depthOf returns how deep JSON is nested. In other text it counts how many brackets are open at most.
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
