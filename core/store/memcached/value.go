package memcached

import (
	"bytes"
	"fmt"
	"strconv"

	"novcomet/core/event"
)

// maxStamp is the end of the year 9999. A later number is not a stamp.
const maxStamp event.Stamp = 253402300799_999999

// parseValue reads the value of a key: a stamp in microseconds as decimal text, and optionally a newline and
// data. The stamp of a nil value is 0.
func parseValue(value []byte) (stamp event.Stamp, data []byte, err error) {
	if value == nil {
		return 0, nil, nil
	}
	text, data, _ := bytes.Cut(value, []byte{'\n'})
	n, err := strconv.ParseUint(string(text), 10, 63)
	if err != nil || n == 0 || event.Stamp(n) > maxStamp {
		return 0, nil, fmt.Errorf("its value %.40q is not a stamp (microseconds since 1970)", text)
	}
	return event.Stamp(n), data, nil
}

// formatValue returns the value that [parseValue] reads.
func formatValue(stamp event.Stamp, data []byte) []byte {
	value := strconv.AppendInt(nil, int64(stamp), 10)
	if len(data) == 0 {
		return value
	}
	return append(append(value, '\n'), data...)
}
