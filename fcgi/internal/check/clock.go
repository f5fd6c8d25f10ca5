package check

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// clock compares a clock with that of this machine. The zero time is none.
func (c *checker) clock(whose string, theirs, ours time.Time) {
	const check = "clock"
	const apart = 2 * time.Second // What whole-second clients are forgiven. Date itself has only seconds.
	if theirs.IsZero() {
		return
	}
	ahead := theirs.Sub(ours)
	if ahead.Abs() <= apart {
		c.ok(check, "%s agrees with this machine's, within %v", whose, apart)
		return
	}
	c.warn(check, "keep both clocks in time (NTP)", "%s is %v %s this machine's", whose, short(ahead.Abs()), direction(ahead))
}

// dateOf is when the web server answered, by its own clock.
func dateOf(a answer) time.Time {
	date, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return date.Add(500 * time.Millisecond) // on average
}

// timeOf is the time of a cursor.
func timeOf(cursor string) time.Time {
	seconds, fraction, ok := strings.Cut(cursor, ".")
	s, err := strconv.ParseInt(seconds, 10, 64)
	if !ok || err != nil || s == 0 {
		return time.Time{}
	}
	micro, _ := strconv.ParseInt((fraction + "000000")[:6], 10, 64)
	return time.Unix(s, micro*1000)
}
