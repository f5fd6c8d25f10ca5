package memcached

import (
	"bytes"
	"testing"

	"novcomet/core/event"
)

func TestParseValue_ReadsStampAndData(t *testing.T) {
	for value, want := range map[string]struct {
		stamp event.Stamp
		data  string
	}{
		"1763800000123456":          {1763800000_123456, ""},
		"1763800000123456\n":        {1763800000_123456, ""},
		"1763800000123456\n{}\nx\n": {1763800000_123456, "{}\nx\n"},
		"1763800000123456\n\n":      {1763800000_123456, "\n"},
		"1":                         {1, ""},
		"01":                        {1, ""},
		"253402300799999999":        {maxStamp, ""},
	} {
		stamp, data, err := parseValue([]byte(value))
		if stamp != want.stamp || string(data) != want.data || err != nil {
			t.Errorf("%q: %d, %q, %v; want %d, %q", value, stamp, data, err, want.stamp, want.data)
		}
	}
	if stamp, data, err := parseValue(nil); stamp != 0 || data != nil || err != nil {
		t.Errorf("nil: %v, %q, %v; want no stamp and no data", stamp, data, err)
	}
}

func TestParseValue_RefusesWhatIsNotAStamp(t *testing.T) {
	for _, value := range []string{
		"", "0", "-1", "+1", "1.5", "1e3", "0x10", "1_000", " 1", "1 ", "1\r\n", "\n1", "hello", "\x00",
		"253402300800000000", "18446744073709551617", "99999999999999999999999999",
	} {
		if stamp, data, err := parseValue([]byte(value)); stamp != 0 || data != nil || err == nil {
			t.Errorf("%q: %d, %q, %v; want an error", value, stamp, data, err)
		}
	}
}

func FuzzParseValue(f *testing.F) {
	f.Add([]byte("1763800000123456\n{\"a\":1}"))
	f.Add([]byte("0\n"))
	f.Add([]byte("9223372036854775808"))
	f.Fuzz(func(t *testing.T, value []byte) {
		stamp, data, err := parseValue(value)
		if err != nil || value == nil {
			return
		}
		if stamp < 1 || stamp > maxStamp {
			t.Errorf("%q: the stamp is %d", value, stamp)
		}
		stampAgain, dataAgain, err := parseValue(formatValue(stamp, data))
		if err != nil || stampAgain != stamp || !bytes.Equal(dataAgain, data) {
			t.Errorf("%q: %d and %q became %d and %q, %v", value, stamp, data, stampAgain, dataAgain, err)
		}
	})
}
