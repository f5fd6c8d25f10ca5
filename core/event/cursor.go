package event

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ErrCursor is wrapped by every error of [ParseCursor].
var ErrCursor = errors.New("not a cursor")

// Subscription is an event that a client asks for, and what the client last saw of it.
type Subscription struct {
	ID     ID
	Cursor Cursor
}

// Cursor is what a client last saw of an event.
type Cursor struct {
	kind  Kind
	value int64 // Precise: microseconds; Legacy: seconds
}

// Kind is one of the four kinds of cursors. Legacy cursors are those of comet.php's protocol.
type Kind uint8

// The zero Kind is LegacyNow.
const (
	LegacyNow  Kind = iota // the client saw nothing so far; only later publications are new
	Legacy                 // the Unix second of the last answer (T), by the client's clock or a stamp's
	Precise                // the stamp that the client last received
	PreciseNow             // the stamp that the event has when the poll arrives
)

// ParseCursor reads the value of one subscription:
//
//	1763800000.123456   [Precise]: digits, a point, 1 to 6 digits
//	now                 [PreciseNow]
//	1763800000          [Legacy]; every character but digits, + and - is dropped, as in PHP
//	0, "" or no digit   [LegacyNow]
//
// A value with a point that is not a precise cursor is an error.
func ParseCursor(value string) (Cursor, error) {
	switch whole, fraction, point := strings.Cut(value, "."); {
	case value == "now":
		return Cursor{kind: PreciseNow}, nil
	case point:
		return parsePrecise(value, whole, fraction)
	}
	if second := phpInteger(value); second != 0 {
		return Cursor{Legacy, second}, nil
	}
	return Cursor{}, nil
}

func parsePrecise(value, whole, fraction string) (Cursor, error) {
	const maxFraction = 6
	if !isDigits(whole) || !isDigits(fraction) || len(fraction) > maxFraction {
		return Cursor{}, fmt.Errorf("%w: %.40q: a precise one is digits, a point and 1 to %d digits",
			ErrCursor, value, maxFraction)
	}
	micros, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", maxFraction-len(fraction)), 10, 64)
	if err != nil {
		return Cursor{}, fmt.Errorf("%w: %.40q is too far in the future", ErrCursor, value)
	}
	return At(Stamp(micros)), nil
}

func isDigits(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// phpInteger is PHP's (int) filter_var($value, FILTER_SANITIZE_NUMBER_INT): all characters but digits and
// signs are dropped, and the number ends before the second sign.
func phpInteger(value string) int64 {
	kept := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '+' || r == '-' {
			return r
		}
		return -1
	}, value)
	if len(kept) > 1 {
		if sign := strings.IndexAny(kept[1:], "+-"); sign >= 0 {
			kept = kept[:1+sign]
		}
	}
	n, err := strconv.ParseInt(kept, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	// Within this limit, seconds and a few more still fit into a Stamp.
	const limit = math.MaxInt64 / int64(Second) / 2
	return min(max(n, -limit), limit)
}

// At returns the precise cursor of a client that last received the stamp.
func At(stamp Stamp) Cursor { return Cursor{Precise, int64(stamp)} }

// Kind returns what the cursor says.
func (c Cursor) Kind() Kind { return c.kind }

// Stamp returns the stamp of a [Precise] cursor.
func (c Cursor) Stamp() Stamp { return Stamp(c.value) }

// Second returns the second of a [Legacy] cursor.
func (c Cursor) Second() int64 { return c.value }

// IsPrecise reports whether the cursor asks for a precise answer.
func (c Cursor) IsPrecise() bool { return c.kind == Precise || c.kind == PreciseNow }

// String returns the cursor as a client sends it.
func (c Cursor) String() string {
	switch c.kind {
	case PreciseNow:
		return "now"
	case Precise:
		return c.Stamp().String()
	default:
		return strconv.FormatInt(c.value, 10)
	}
}
