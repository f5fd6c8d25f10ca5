package fastcgi

import (
	"errors"
	"maps"
	"strings"
	"testing"
)

func TestParseParams(t *testing.T) {
	long := strings.Repeat("v", 128)
	for _, test := range []struct {
		name, encoded string
		want          map[string]string
	}{
		{"none", "", map[string]string{}},
		{"two", "\x01\x02aAA\x01\x00b", map[string]string{"a": "AA", "b": ""}},
		{"the last value of a name", "\x01\x01a1\x01\x01a2", map[string]string{"a": "2"}},
		{"an empty name", "\x00\x01x", map[string]string{"": "x"}},
		{"a length of four bytes", "\x01\x80\x00\x00\x80a" + long, map[string]string{"a": long}},
		{"a short length in four bytes", "\x80\x00\x00\x01\x01aA", map[string]string{"a": "A"}},
		{"a part of a value", "\x01\x02aA", nil},
		{"a part of a name", "\x02\x00a", nil},
		{"no length of the value", "\x01", nil},
		{"a part of a length", "\x01\x80\x00\x00", nil},
		{"a length of 2 GiB", "\xff\xff\xff\xff\xff\xff\xff\xffx", nil},
	} {
		got, err := ParseParams([]byte(test.encoded))
		if !maps.Equal(got, test.want) || errors.Is(err, ErrParams) != (test.want == nil) {
			t.Errorf("%s: %q, %v; want %q", test.name, got, err, test.want)
		}
	}
}

// FuzzParams parses any bytes. What was parsed is parsed again after AppendParams.
func FuzzParams(f *testing.F) {
	f.Add([]byte("\x01\x02aAA\x80\x00\x00\x01\x00b"))
	f.Add([]byte("\xff\xff\xff\xff\x80\x00\x00"))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		params, err := ParseParams(encoded)
		if err != nil {
			return
		}
		if again, err := ParseParams(AppendParams(nil, params)); err != nil || !maps.Equal(again, params) {
			t.Errorf("%q, %v; want %q", again, err, params)
		}
	})
}
