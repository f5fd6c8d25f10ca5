//go:build e2e

package redis_test

import (
	"slices"
	"strings"
	"testing"

	"novcomet/core/event"
)

func TestCheck_TreatsInvalidStampAsNeverPublished(t *testing.T) {
	server, s := start(t)
	for _, text := range []string{
		"", "soon", "-5", "1e15", "1763800000.5", "nan", "inf", "-inf", "0x10",
		"99999999999999999999", strings.Repeat("9", 400),
	} {
		server.Do("HSET", prefix+"a", "s", text)
		if got := check(t, s, "a").Stamps[0]; got != 0 {
			t.Errorf("%q is the stamp %v; want 0", text, got)
		}
		earliest := check(t, s).Now
		stamp := publish(t, s, "a")
		if latest := check(t, s).Now; stamp < earliest || stamp > latest {
			t.Errorf("published after %q, the stamp is %v; want %v to %v", text, stamp, earliest, latest)
		}
		if got := check(t, s, "a").Stamps[0]; got != stamp {
			t.Errorf("after %q, Check returned the stamp %v; want %v", text, got, stamp)
		}
	}
}

func TestCheck_TreatsKeyOfAnotherTypeAsNeverPublished(t *testing.T) {
	server, s := start(t)
	server.Do("SET", prefix+"text", "1763800000000000")
	server.Do("RPUSH", prefix+"list", "1")
	want := []event.Stamp{0, publish(t, s, "good"), 0}
	if got := check(t, s, "text", "good", "list").Stamps; !slices.Equal(got, want) {
		t.Errorf("stamps %v; want %v", got, want)
	}
}
