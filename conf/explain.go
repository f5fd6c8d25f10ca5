package conf

import (
	"slices"
	"strings"
)

// FromDefault is the From of a value that nothing sets.
const FromDefault = "default"

// Value is the value of a key, and where it was set.
type Value struct {
	Key   string `json:"key"`
	Value string `json:"value"` // as it was written, in one line
	From  string `json:"from"`  // FromDefault, "/etc/novcomet/comet.yaml", "environment variable COMET_TRIES", "flag --listen"
}

// Explain returns the value of every key, in the order of comet.yaml, and where it was set; and the file that was read, ""
// if there is none. Like [Load] it fails if a file can't be read or a name is unknown, but not if a value is bad.
func Explain(from Source) (values []Value, file string, err error) {
	f, err := from.find()
	if err != nil {
		return nil, "", err
	}
	layers := []layer{shipped()}
	for _, read := range []func() (layer, error){f.layer, from.environment, from.flags} {
		l, err := read()
		if err != nil {
			return nil, f.path, err
		}
		layers = append(layers, l)
	}
	slices.Reverse(layers)
	for _, s := range settings {
		for _, l := range layers {
			if value, ok := l.values[s.key]; ok {
				values = append(values, Value{s.key, strings.Trim(written(value), `"`), l.origin(s.key)})
				break
			}
		}
	}
	return values, f.path, nil
}
