package conf

import (
	"strconv"

	"github.com/go-viper/mapstructure/v2"
	"github.com/pkg/errors"
)

// check turns a decoding error, or else the first value that is out of its range, into a message that names the layer
// of the value. The layers are ordered strongest first. Keys that no layer sets are not checked.
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

// refuse returns the error for a value, or for the part of it that is not allowed. It is nil if no layer sets the key.
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
