package core_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
)

// readEvents reads events as a browser does, and returns what they say together, and the last event id.
func readEvents(sent []byte, last string) (all reply, lastID string, err error) {
	all = reply{K: map[string]json.Number{}, D: map[string]json.RawMessage{}}
	id := last
	var event, data string
	for line := range strings.Lines(string(sent)) {
		line, whole := strings.CutSuffix(line, "\n")
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case !whole:
			return all, last, fmt.Errorf("it breaks off in %q", line)
		case name == "event":
			event = value
		case name == "data":
			data += value
		case name == "id":
			id = value
		case name == "" && line != "": // a comment
		case line != "":
			return all, last, fmt.Errorf("what is %q?", line)
		default:
			last = id
			if data != "" {
				if err := all.add(event, data); err != nil {
					return all, last, err
				}
			}
			event, data = "", ""
		}
	}
	if !bytes.HasSuffix(sent, []byte("\n\n")) {
		return all, last, fmt.Errorf("the last event is never dispatched")
	}
	return all, last, nil
}

// add takes in what one event of a stream says.
func (all *reply) add(event, data string) error {
	var one reply
	if err := decode([]byte(data), &one); err != nil {
		return err
	}
	stamp, told := one.K[event]
	if one.S != 1 || !told || len(one.K) != 1 || len(one.At) != 1 || one.At[event] != stamp.String() {
		return fmt.Errorf("%s is not about %q alone", data, event)
	}
	if _, twice := all.K[event]; twice {
		return fmt.Errorf("%q is told of twice", event)
	}
	all.S = 1
	all.K[event] = stamp
	maps.Copy(all.D, one.D)
	return nil
}

// cursors returns those that an id stands for, of each event.
func cursors(events []string, id string) map[string]string {
	all := map[string]string{}
	for i, value := range strings.Split(id, ",") {
		if i < len(events) {
			all[events[i]] = value
		}
	}
	return all
}

// resumed returns the cursors that a last event id stands for: nothing seen, where it does not say.
func resumed(events []string, id string) map[string]string {
	const nothing = "0.000000"
	cursors := map[string]string{}
	values := strings.Split(id, ",")
	for i, event := range events {
		cursors[event] = nothing
		if len(values) == len(events) && values[i] != "now" && strings.Trim(values[i], "0123456789.") == "" {
			cursors[event] = values[i]
		}
	}
	return cursors
}
