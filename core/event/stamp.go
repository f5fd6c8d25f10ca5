package event

import (
	"fmt"
	"time"
)

// Stamp is the time of an event's last publication by the store's clock, in microseconds since 1970. 0 means
// that the event was never published.
type Stamp int64

// Units of a Stamp.
const (
	Microsecond Stamp = 1
	Second            = 1_000_000 * Microsecond
)

// StampOf returns t as a Stamp. It is at least 1, so that an event that was published in 1970 or before
// counts as published.
func StampOf(t time.Time) Stamp {
	return max(Stamp(t.UnixMicro()), Microsecond)
}

// Second returns the Unix second that contains s. comet.php knew no more of a stamp.
func (s Stamp) Second() int64 { return int64(s / Second) }

// Add returns s plus d. Fractions of a microsecond are dropped.
func (s Stamp) Add(d time.Duration) Stamp { return s + Stamp(d.Microseconds()) }

// Sub returns s minus earlier.
func (s Stamp) Sub(earlier Stamp) time.Duration { return time.Duration(s-earlier) * time.Microsecond }

// String returns s in seconds with six decimals, as precise polls send it: "1763800000.123456".
func (s Stamp) String() string { return fmt.Sprintf("%d.%06d", s/Second, s%Second) }
