package core

import (
	"fmt"
	"time"
)

// Stamp is when an event was last published, in microseconds since 1970 by the store's clock. 0 is an event never
// published so far.
type Stamp int64

const (
	microsecond Stamp = 1
	second            = 1_000_000 * microsecond
)

// StampOf returns t as a Stamp. It is never 0, so that an event published in 1970 or before still counts as published.
func StampOf(t time.Time) Stamp {
	return max(Stamp(t.UnixMicro()), microsecond)
}

// Second returns the whole second that s lies in: what comet.php knew of it.
func (s Stamp) Second() int64 { return int64(s / second) }

// Add returns s moved by d, which counts in whole microseconds.
func (s Stamp) Add(d time.Duration) Stamp { return s + Stamp(d.Microseconds()) }

// Sub returns the time from earlier to s.
func (s Stamp) Sub(earlier Stamp) time.Duration { return time.Duration(s-earlier) * time.Microsecond }

// String returns s in seconds with six decimals, as precise polls speak of it: "1763800000.123456".
func (s Stamp) String() string { return fmt.Sprintf("%d.%06d", s/second, s%second) }
