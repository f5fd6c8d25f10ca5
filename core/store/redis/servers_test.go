package redis

import (
	"testing"
	"time"
	"unsafe"
)

func TestServers_EarliestClockRunsOn(t *testing.T) {
	const address, other = "a:6379", "b:6379"
	var known servers
	known.ask(address)
	known.ask(other)
	if got := known.earliest(time.Now()); !got.IsZero() {
		t.Errorf("no server has answered, and the time is %v", got)
	}
	clock := time.Unix(1763800000, 0)
	known.setClock(address, clock)
	known.setClock(other, clock.Add(time.Hour))
	here := known.known[address].clockAt
	for after, want := range map[time.Duration]time.Time{
		-time.Second: clock, // The check began before the answer came.
		0:            clock,
		time.Minute:  clock.Add(time.Minute),
	} {
		if got := known.earliest(here.Add(after)); !got.Equal(want) {
			t.Errorf("%v after the answer: %v; want %v", after, got, want)
		}
		if got := known.earliest(setBack(here.Add(after), time.Hour)); !got.Equal(want) {
			t.Errorf("%v after the answer, this machine's clock was set back: %v; want %v", after, got, want)
		}
	}
}

// setBack sets the wall clock of a time back. It does not change the reading of the monotonic clock, as when
// the clock of the machine is set.
func setBack(t time.Time, by time.Duration) time.Time {
	const secondsShift = 30 // in the first word of a time with both readings
	*(*uint64)(unsafe.Pointer(&t)) -= uint64(by/time.Second) << secondsShift
	return t
}

func TestServers_ForgetsServerThatIsNotAsked(t *testing.T) {
	var known servers
	known.ask("a:6379")
	known.setClock("a:6379", time.Unix(1763800000, 0))
	if got := known.earliest(time.Now().Add(time.Hour)); !got.IsZero() {
		t.Errorf("%v; want no time", got)
	}
}
