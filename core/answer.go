package core

import (
	"encoding/json"
	"strconv"

	"novcomet/core/event"
	"novcomet/core/hub"
)

// encodeAnswer returns the answer to a poll: {"s":1,"k":{"ID":seconds}} or {"s":0}, as comet.php wrote it. In
// a precise answer, stamps have six decimals, "d" has the data of the events that carry any, and "at" has the
// cursors as strings.
func encodeAnswer(r *hub.Result) []byte { return appendAnswer(nil, r.Changed, r.Cursors) }

func appendAnswer(b []byte, changed []hub.Event, cursors []event.Subscription) []byte {
	if len(changed) == 0 {
		b = append(b, `{"s":0`...)
	} else {
		b = append(b, `{"s":1,"k":{`...)
		for i, e := range changed {
			b = appendName(b, i, e.ID)
			if cursors == nil {
				b = strconv.AppendInt(b, e.Stamp.Second(), 10)
			} else {
				b = append(b, e.Stamp.String()...)
			}
		}
		b = append(b, '}')
		b = appendData(b, changed)
	}
	if cursors != nil {
		b = append(b, `,"at":{`...)
		for i, s := range cursors {
			b = appendName(b, i, s.ID)
			b = append(b, '"')
			b = append(b, s.Cursor.String()...) // Digits, signs and points need no escaping.
			b = append(b, '"')
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendData(b []byte, changed []hub.Event) []byte {
	n := 0
	for _, e := range changed {
		if e.Data == nil {
			continue
		}
		if n == 0 {
			b = append(b, `,"d":{`...)
		}
		b = append(appendName(b, n, e.ID), e.Data...)
		n++
	}
	if n > 0 {
		b = append(b, '}')
	}
	return b
}

func appendName(b []byte, i int, id event.ID) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	name, _ := json.Marshal(id.String()) // A string can always be encoded.
	return append(append(b, name...), ':')
}
