package core

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxID is the longest id, in bytes. With ".comet" behind it, it still is a file name on every Linux file system (255 bytes).
const MaxID = 200

// ErrID is what every error of [ParseID] wraps.
var ErrID = errors.New("this id is not allowed")

// ID names an event. It can only be made by [ParseID], so whoever holds one need not check it again; the zero ID names
// nothing.
type ID struct{ name string }

// ParseID makes an ID of 1 to [MaxID] bytes of valid UTF-8. Not allowed are "/" and a dot at the start, for ids become
// file names and must not leave their directory or hide in it, and control characters, which would end up in terminals
// and logs. Anything else, quotes and spaces too, is kept to the byte. (An id with "]" can be published, but a query has no
// way to subscribe to it, as in PHP.)
func ParseID(name string) (ID, error) {
	switch {
	case name == "":
		return ID{}, refuse(name, "it is empty")
	case len(name) > MaxID:
		return ID{}, refuse(name, fmt.Sprintf("it has %d bytes; the limit is %d", len(name), MaxID))
	case !utf8.ValidString(name):
		return ID{}, refuse(name, "it is not valid UTF-8")
	case name[0] == '.':
		return ID{}, refuse(name, "it starts with a dot")
	case strings.ContainsRune(name, '/'):
		return ID{}, refuse(name, `it contains "/"`)
	case strings.ContainsFunc(name, unicode.IsControl):
		return ID{}, refuse(name, "it contains a control character")
	}
	// A poll keeps its ids while it waits, and not the request that they are a part of.
	return ID{strings.Clone(name)}, nil
}

func refuse(name, reason string) error {
	return fmt.Errorf("%w: %.60q: %s", ErrID, name, reason)
}

// String returns the id as it was parsed.
func (id ID) String() string { return id.name }

// IsZero reports whether id names nothing.
func (id ID) IsZero() bool { return id.name == "" }
