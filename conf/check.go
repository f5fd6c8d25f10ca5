package conf

import (
	"strconv"

	"github.com/go-viper/mapstructure/v2"
	"github.com/pkg/errors"
)

// check turns what decoding said, and the first value out of its range, into a message that names
// the layer the value came from. The layers come with the strongest first; keys that no layer
// has are not looked at.
func check(c Config, decoding error, layers ...layer) error {
	var wrong *mapstructure.DecodeError
	if errors.As(decoding, &wrong) {
		if s, ok := keyed(wrong.Name()); ok {
			return s.refuse(wrong.Unwrap(), layers)
		}
	}
	if decoding != nil {
		return errors.Wrap(decoding, "configuration")
	}
	for _, s := range settings {
		if !s.ok(c) {
			if err := s.refuse(nil, layers); err != nil {
				return err
			}
		}
	}
	return nil
}

// refuse is the message for a value that is not allowed, nil if no layer has one.
func (s setting) refuse(why error, layers []layer) error {
	for _, l := range layers {
		value, ok := l.values[s.key]
		if !ok {
			continue
		}
		text, ok := value.(string)
		if !ok {
			return errors.Errorf("%s: %s: a list is not allowed: give %s", l.origin(s.key), s.key, s.allowed)
		}
		is := "is not allowed"
		if why != nil {
			is = why.Error()
		}
		return errors.Errorf("%s: %s: %s %s: give %s", l.origin(s.key), s.key, quote(text), is, s.allowed)
	}
	return nil
}

// quote shows a value in one line, however long or strange it is.
func quote(value string) string {
	const most = 100
	if len(value) > most {
		return strconv.Quote(value[:most]) + "…"
	}
	return strconv.Quote(value)
}
