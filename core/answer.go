package core

import (
	"encoding/json"
	"strconv"
)

// Answer is what a poll is told.
type Answer struct {
	// Changed are the events that were published, in the order asked; none: the time was over.
	Changed []Event
	// Cursors are what to send with the next poll, for each id asked. Only precise answers have them.
	Cursors []Subscription
}

// Event is one event and when it was last published.
type Event struct {
	ID    ID
	Stamp Stamp
}

// appendJSON appends {"s":1,"k":{"ID":seconds}} as comet.php wrote it, or {"s":0}; precise answers have six decimals and
// "at", the cursors as strings.
func (a Answer) appendJSON(b []byte) []byte {
	if len(a.Changed) == 0 {
		b = append(b, `{"s":0`...)
	} else {
		b = append(b, `{"s":1,"k":{`...)
		for i, event := range a.Changed {
			b = appendName(b, i, event.ID)
			if a.Cursors == nil {
				b = strconv.AppendInt(b, event.Stamp.Second(), 10)
			} else {
				b = append(b, event.Stamp.String()...)
			}
		}
		b = append(b, '}')
	}
	if a.Cursors != nil {
		b = append(b, `,"at":{`...)
		for i, s := range a.Cursors {
			b = appendName(b, i, s.ID)
			b = append(b, '"')
			b = append(b, s.Cursor.String()...) // digits, signs and points
			b = append(b, '"')
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendName(b []byte, i int, id ID) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	name, _ := json.Marshal(id.String()) // a string always can be
	return append(append(b, name...), ':')
}
