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
			return s.refuse("", wrong.Unwrap(), layers)
		}
	}
	if decoding != nil {
		return errors.Wrap(decoding, "configuration")
	}
	var err error
	for _, s := range settings {
		element, wrong := lists[s.key].wrong(c)
		switch {
		case wrong:
			err = s.refuse(quote(element), nil, layers)
		case !s.ok(c):
			err = s.refuse("", nil, layers)
		}
		if err != nil {
			return err
		}
	}
	if _, err := c.Subscribe.Secrets(); err != nil {
		s, _ := keyed("subscribe.secret_file")
		return s.refuse("", err, layers)
	}
	return nil
}

// refuse is the message for a value, or for what of it is not allowed, nil if no layer has one.
func (s setting) refuse(what string, why error, layers []layer) error {
	for _, l := range layers {
		value, ok := l.values[s.key]
		if !ok {
			continue
		}
		if _, isList := lists[s.key]; !isList && !isText(value) {
			return errors.Errorf("%s: %s: a list is not allowed: give %s", l.origin(s.key), s.key, s.allowed)
		}
		if what == "" {
			what = written(value)
		}
		is := "is not allowed"
		if why != nil {
			is = why.Error()
		}
		return errors.Errorf("%s: %s: %s %s: give %s", l.origin(s.key), s.key, what, is, s.allowed)
	}
	return nil
}

func isText(value any) bool {
	_, ok := value.(string)
	return ok
}

// quote shows a value in one line, however long or strange it is.
func quote(value string) string {
	const most = 100
	if len(value) > most {
		return strconv.Quote(value[:most]) + "…"
	}
	return strconv.Quote(value)
}
