// Package event has the values that every other package uses: the id of an event, its stamp, what it
// carries, and the cursor that a client has for it.
package event

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxID is the length of the longest id, in bytes. With ".comet" appended, such an id is a valid file name on
// every Linux file system (255 bytes).
const MaxID = 200

// ErrID is wrapped by every error of [ParseID].
var ErrID = errors.New("this id is not allowed")

// ID names an event. Only [ParseID] makes one, so an ID is always valid. The zero ID names no event.
type ID struct{ name string }

// ParseID makes an ID of 1 to [MaxID] bytes of valid UTF-8. Ids become file names, and end up in terminals
// and logs. So "/", a dot at the start and control characters are not allowed. Every other character is,
// quotes and spaces included. (An id with "]" can be published, but no query can subscribe to it, as in PHP.)
func ParseID(name string) (ID, error) {
	switch {
	case name == "":
		return ID{}, invalid(name, "it is empty")
	case len(name) > MaxID:
		return ID{}, invalid(name, fmt.Sprintf("it has %d bytes; the limit is %d", len(name), MaxID))
	case !utf8.ValidString(name):
		return ID{}, invalid(name, "it is not valid UTF-8")
	case name[0] == '.':
		return ID{}, invalid(name, "it starts with a dot")
	case strings.ContainsRune(name, '/'):
		return ID{}, invalid(name, `it contains "/"`)
	case strings.ContainsFunc(name, unicode.IsControl):
		return ID{}, invalid(name, "it contains a control character")
	}
	// A waiting poll keeps its ids in memory. A clone does not keep the whole request with them.
	return ID{strings.Clone(name)}, nil
}

func invalid(name, reason string) error {
	return fmt.Errorf("%w: %.60q: %s", ErrID, name, reason)
}

// String returns the id as it was parsed.
func (id ID) String() string { return id.name }

// IsZero reports whether id names no event.
func (id ID) IsZero() bool { return id.name == "" }
