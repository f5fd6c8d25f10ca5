package event_test

import (
	"errors"
	"strings"
	"testing"

	"novcomet/core/event"
)

func TestParseCursor(t *testing.T) {
	const now, legacy, precise, preciseNow = event.LegacyNow, event.Legacy, event.Precise, event.PreciseNow
	for value, want := range map[string]struct {
		kind event.Kind
		text string
	}{
		"now":               {preciseNow, "now"},
		"1763800000.123456": {precise, "1763800000.123456"},
		"1.5":               {precise, "1.500000"},
		"0.000000":          {precise, "0.000000"},
		"007.0":             {precise, "7.000000"},
		"1763800000":        {legacy, "1763800000"},
		"-5":                {legacy, "-5"},
		"+5":                {legacy, "5"},
		"1a2b3":             {legacy, "123"},
		"12-3":              {legacy, "12"},
		"1e9":               {legacy, "19"},
		// Far seconds are limited, so that they still fit into a stamp.
		"9223372036854775807":   {legacy, "4611686018427"},
		"99999999999999999999":  {legacy, "4611686018427"},
		"-99999999999999999999": {legacy, "-4611686018427"},
		"0":                     {now, "0"},
		"":                      {now, "0"},
		"-":                     {now, "0"},
		"--5":                   {now, "0"},
		"NOW":                   {now, "0"},
		"five":                  {now, "0"},
	} {
		c, err := event.ParseCursor(value)
		if err != nil || c.Kind() != want.kind || c.String() != want.text || c.IsPrecise() != (want.kind >= precise) {
			t.Errorf("ParseCursor(%q) = %q of kind %d, %v; want %q of kind %d", value, c, c.Kind(), err, want.text, want.kind)
		}
	}
}

func TestParseCursor_RejectsAPointThatIsNotPrecise(t *testing.T) {
	for _, value := range []string{
		"1.", ".5", ".", "1.1234567", "-1.5", "+1.5", "1.-5", "1.5.5", "1e9.5", "now.5", strings.Repeat("9", 20) + ".5",
	} {
		if c, err := event.ParseCursor(value); !errors.Is(err, event.ErrCursor) || !strings.Contains(err.Error(), value) {
			t.Errorf("ParseCursor(%q) = %q, %v; want an error that quotes it", value, c, err)
		}
	}
}
