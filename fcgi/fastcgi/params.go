package fastcgi

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
)

// ErrParams means that a list of names and values ends in the middle of one.
var ErrParams = errors.New("the web server's variables end in the middle of one")

// ParseParams reads a list of names and values. The last value of a name counts, because web servers send the
// settings of a location after the general ones.
func ParseParams(b []byte) (map[string]string, error) {
	params := make(map[string]string, 32) // nginx sends about thirty.
	for text := string(b); len(text) > 0; {
		nameLength, rest, nameOK := parseLength(text)
		valueLength, rest, valueOK := parseLength(rest)
		if !nameOK || !valueOK || len(rest) < nameLength || len(rest)-nameLength < valueLength {
			return nil, ErrParams
		}
		params[rest[:nameLength]] = rest[nameLength : nameLength+valueLength]
		text = rest[nameLength+valueLength:]
	}
	return params, nil
}

// parseLength reads a length: one byte, or four if the first bit is set.
func parseLength(text string) (length int, rest string, ok bool) {
	switch {
	case len(text) >= 1 && text[0] < 0x80:
		return int(text[0]), text[1:], true
	case len(text) >= 4:
		return int(binary.BigEndian.Uint32([]byte(text[:4])) &^ (1 << 31)), text[4:], true
	default:
		return 0, "", false
	}
}

// AppendParams appends a list of names and values, in the order of the names.
func AppendParams(b []byte, params map[string]string) []byte {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		b = appendLength(b, len(name))
		b = appendLength(b, len(params[name]))
		b = append(append(b, name...), params[name]...)
	}
	return b
}

func appendLength(b []byte, length int) []byte {
	if length < 0x80 {
		return append(b, byte(length))
	}
	return binary.BigEndian.AppendUint32(b, uint32(length)|1<<31)
}
