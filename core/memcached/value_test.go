package memcached

import (
	"bytes"
	"testing"

	"novcomet/core"
)

func TestAValueIsAStampAndMaybeData(t *testing.T) {
	for value, want := range map[string]struct {
		stamp core.Stamp // 0: it is no stamp
		rest  string
	}{
		"1763800000123456":          {1763800000_123456, ""},
		"1763800000123456\n":        {1763800000_123456, "\n"},
		"1763800000123456\n{}\nx\n": {1763800000_123456, "\n{}\nx\n"},
		"1":                         {1, ""},
		"01":                        {1, ""},
		"253402300799999999":        {maxStamp, ""},
		"253402300800000000":        {}, "99999999999999999999999999": {}, "18446744073709551617": {},
		"": {}, "0": {}, "-1": {}, "+1": {}, "1.5": {}, "1e3": {}, "0x10": {}, "1_000": {}, " 1": {}, "1 ": {}, "1\r\n": {}, "\n1": {}, "hello": {}, "\x00": {},
	} {
		stamp, rest, err := parseValue([]byte(value))
		if stamp != want.stamp || string(rest) != want.rest || (err == nil) != (want.stamp != 0) {
			t.Errorf("%q: %d, %q, %v; want %d, %q", value, stamp, rest, err, want.stamp, want.rest)
		}
	}
	if stamp, rest, err := parseValue(nil); stamp != 0 || rest != nil || err != nil {
		t.Errorf("no value: %v, %q, %v", stamp, rest, err)
	}
}

func FuzzValue(f *testing.F) {
	f.Add([]byte("1763800000123456\n{\"a\":1}"))
	f.Add([]byte("0\n"))
	f.Add([]byte("9223372036854775808"))
	f.Fuzz(func(t *testing.T, value []byte) {
		stamp, rest, err := parseValue(value)
		if err != nil || value == nil {
			return
		}
		if stamp < 1 || stamp > maxStamp {
			t.Errorf("%q: %d", value, stamp)
		}
		again, restAgain, err := parseValue(formatValue(stamp, rest))
		if err != nil || again != stamp || !bytes.Equal(restAgain, rest) {
			t.Errorf("%q: %d and %q became %d and %q, %v", value, stamp, rest, again, restAgain, err)
		}
	})
}
