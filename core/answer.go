package core

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// Answer is what a poll is told.
type Answer struct {
	// Changed are the events that were published, in the order asked; none: the time was over.
	Changed []Event
	// Cursors are what to send with the next poll, for each id asked. Only precise answers have them.
	Cursors []Subscription
}

// ServeHTTP writes the answer. It is JSON only now: thousands of answers that wait for their turn share the data.
func (a Answer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, a.appendJSON(nil))
}

// size is about how many bytes it has: what its events carry, and as much as a long id takes for each.
func (a Answer) size() int {
	n := 0
	for _, event := range a.Changed {
		n += len(event.Data)
	}
	return n + (len(a.Changed)+len(a.Cursors))*100
}

// Event is one event and when it was last published.
type Event struct {
	ID    ID
	Stamp Stamp
	// Data is what it carries, where that was asked for and there is any.
	Data json.RawMessage
}

// appendJSON appends {"s":1,"k":{"ID":seconds}} as comet.php wrote it, or {"s":0}; precise answers have six decimals,
// "d", the data of those events that carry any, and "at", the cursors as strings.
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
		b = appendData(b, a.Changed)
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

func appendData(b []byte, events []Event) []byte {
	n := 0
	for _, event := range events {
		if event.Data == nil {
			continue
		}
		if n == 0 {
			b = append(b, `,"d":{`...)
		}
		b = append(appendName(b, n, event.ID), event.Data...)
		n++
	}
	if n > 0 {
		b = append(b, '}')
	}
	return b
}

func appendName(b []byte, i int, id ID) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	name, _ := json.Marshal(id.String()) // a string always can be
	return append(append(b, name...), ':')
}
