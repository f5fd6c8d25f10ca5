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
	for text := string(b); len(text) > 0; { // One string for all: nginx sends some thirty.
		nameLength, rest, nameOK := parseLength(text)
		valueLength, rest, valueOK := parseLength(rest)
		if !nameOK || !valueOK || len(rest) < nameLength || len(rest)-nameLength < valueLength {
			return nil, errPairs
		}
		pairs[rest[:nameLength]] = rest[nameLength : nameLength+valueLength]
		text = rest[nameLength+valueLength:]
	}
	return pairs, nil
}

// parseLength reads a length of one byte, or of four where the first bit is set.
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
