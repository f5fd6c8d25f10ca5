package memcached

import (
	"bytes"
	"strconv"

	"github.com/pkg/errors"

	"novcomet/core"
)

// maxStamp is the end of the year 9999. Anything beyond is no time, and a later stamp could not always be found.
const maxStamp core.Stamp = 253402300799_999999

// parseValue reads the value of a key: a stamp in microseconds as decimal text, and maybe a newline and data. rest is what
// follows the stamp, with the newline. No value at all is stamp 0.
func parseValue(value []byte) (stamp core.Stamp, rest []byte, err error) {
	if value == nil {
		return 0, nil, nil
	}
	text := value
	if end := bytes.IndexByte(value, '\n'); end >= 0 {
		text, rest = value[:end], value[end:]
	}
	n, err := strconv.ParseUint(string(text), 10, 63)
	if err != nil || n == 0 || core.Stamp(n) > maxStamp {
		return 0, nil, errors.Errorf("its value %.40q is not a stamp (microseconds since 1970)", text)
	}
	return core.Stamp(n), rest, nil
}

// formatValue is what parseValue reads.
func formatValue(stamp core.Stamp, rest []byte) []byte {
	return append(strconv.AppendInt(nil, int64(stamp), 10), rest...)
}
