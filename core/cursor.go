package core

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ErrCursor is what every error of [ParseCursor] wraps.
var ErrCursor = errors.New("not a cursor")

// Cursor is what a subscriber last saw of an event.
type Cursor struct {
	kind  cursorKind
	value int64 // a Stamp's microseconds where it is precise, else seconds
}

type cursorKind uint8

const (
	wholeSecond cursorKind = iota // T of comet.php, by the client's clock; 0: from now
	precise                       // a stamp that the server gave
	preciseNow                    // "now": the stamp that is found on arrival
)

// ParseCursor reads the value of one subscription.
//
//	1763800000.123456   a precise cursor: digits, a point, 1 to 6 digits
//	now                 precise too: whatever the event's stamp is now; one younger than the store's [Timing].Lag counts as new
//	1763800000          the second last seen; every character but digits, + and - is dropped, as PHP did
//	0, "" or no digit   whole seconds, from now
//
// A value with a point that is not a precise cursor is an error.
func ParseCursor(value string) (Cursor, error) {
	switch whole, fraction, point := strings.Cut(value, "."); {
	case value == "now":
		return Cursor{kind: preciseNow}, nil
	case point:
		return parsePrecise(value, whole, fraction)
	default:
		return Cursor{value: phpInteger(value)}, nil
	}
}

func parsePrecise(value, whole, fraction string) (Cursor, error) {
	const maxFraction = 6
	if !digits(whole) || !digits(fraction) || len(fraction) > maxFraction {
		return Cursor{}, fmt.Errorf("%w: %.40q: a precise one is digits, a point and 1 to %d digits", ErrCursor, value, maxFraction)
	}
	micros, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", maxFraction-len(fraction)), 10, 64)
	if err != nil {
		return Cursor{}, fmt.Errorf("%w: %.40q is beyond all times", ErrCursor, value)
	}
	return Cursor{precise, micros}, nil
}

func digits(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// phpInteger is (int) filter_var($value, FILTER_SANITIZE_NUMBER_INT): what is not a digit or a sign is dropped, and of
// the rest counts what stands before the second sign.
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
	// Seconds that far away are all the same; this far they can still be counted in microseconds.
	const limit = math.MaxInt64 / int64(second) / 2
	return min(max(n, -limit), limit)
}

// Precise reports whether the cursor asks for a precise answer.
func (c Cursor) Precise() bool { return c.kind != wholeSecond }

// fromNow reports whether the cursor is the whole-second client's "I saw nothing yet".
func (c Cursor) fromNow() bool { return c.kind == wholeSecond && c.value == 0 }

// String returns the cursor as a client sends it.
func (c Cursor) String() string {
	switch c.kind {
	case preciseNow:
		return "now"
	case precise:
		return Stamp(c.value).String()
	default:
		return strconv.FormatInt(c.value, 10)
	}
}
