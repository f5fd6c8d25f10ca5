package main

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
)

var errPairs = errors.New("the web server's variables end in the middle of one")

// parsePairs reads a list of names and values (section 3.4 of the specification). Of the same name twice, the last one
// counts: it is what a location adds behind the general ones.
func parsePairs(b []byte) (map[string]string, error) {
	pairs := make(map[string]string, 32)
	for len(b) > 0 {
		nameLength, rest, nameOK := parseLength(b)
		valueLength, rest, valueOK := parseLength(rest)
		if !nameOK || !valueOK || len(rest) < nameLength || len(rest)-nameLength < valueLength {
			return nil, errPairs
		}
		pairs[string(rest[:nameLength])] = string(rest[nameLength : nameLength+valueLength])
		b = rest[nameLength+valueLength:]
	}
	return pairs, nil
}

// parseLength reads a length of one byte, or of four where the first bit is set.
func parseLength(b []byte) (length int, rest []byte, ok bool) {
	switch {
	case len(b) >= 1 && b[0] < 0x80:
		return int(b[0]), b[1:], true
	case len(b) >= 4:
		return int(binary.BigEndian.Uint32(b) &^ (1 << 31)), b[4:], true
	default:
		return 0, nil, false
	}
}

func appendPairs(b []byte, pairs map[string]string) []byte {
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		b = appendLength(b, len(name))
		b = appendLength(b, len(pairs[name]))
		b = append(append(b, name...), pairs[name]...)
	}
	return b
}

func appendLength(b []byte, length int) []byte {
	if length < 0x80 {
		return append(b, byte(length))
	}
	return binary.BigEndian.AppendUint32(b, uint32(length)|1<<31)
}
