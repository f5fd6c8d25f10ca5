package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
)

func (c contract) neverPublished(t *testing.T) {
	s := c.open(t)
	publish(t, s, newID("other"), nil)
	if got := check(t, s, newID("missing")).Stamps[0]; got != 0 {
		t.Errorf("its stamp is %v; want 0", got)
	}
	check(t, s) // It fails unless there are as many stamps as ids.
}

func (c contract) laterStamp(t *testing.T) {
	s, id := c.open(t), newID("later")
	var last event.Stamp
	for i := range 500 {
		stamp := publish(t, s, id, nil)
		if stamp <= last {
			t.Fatalf("publication %d: stamp %v, after %v", i+1, stamp, last)
		}
		if seen := check(t, s, id).Stamps[0]; seen != stamp {
			t.Fatalf("publication %d: Publish returned %v, but Check %v", i+1, stamp, seen)
		}
		last = stamp
	}
}

func (c contract) orderOfStamps(t *testing.T) {
	s := c.open(t)
	a, b, missing := newID("a"), newID("b"), newID("missing")
	want := map[event.ID]event.Stamp{a: publish(t, s, a, nil), b: publish(t, s, b, nil)}
	for _, ids := range [][]event.ID{{a, b, missing}, {missing, b, a}, {b, missing, b, a, a, missing}} {
		for i, stamp := range check(t, s, ids...).Stamps {
			if stamp != want[ids[i]] {
				t.Errorf("stamp %d of %q is %v; want %v", i, ids, stamp, want[ids[i]])
			}
		}
	}
}

// shapesOfIDs uses ids that are difficult as file names, keys, commands or patterns.
func (c contract) shapesOfIDs(t *testing.T) {
	const most = event.MaxID
	long := strings.Repeat("x", most-1)
	names := []string{
		"news", "News", "NEWS", "news ", " news", "  news", "news\u00a0", "n", " ", "  ",
		"a b", "a  b", "a%20b", "a+b", "a%2520b", "%", "%%", "%25", "%2", "a%sb", "%d",
		`a\b`, `\`, `\n`, `"`, `'`, "`", "''", `a"b'c`,
		"a:b", "a::b", ":", "a;b", "a|b", "a&b", "a=b", "a?b", "#", "a#b",
		"$a", "${a}", "$(a)", "~", "-", "--", "-n", "@", "^", "!",
		"*", "a*", "[a]", "[^a]", "{a}", "{a}b", "{a}c", "{}", "{", "}", "a,b", ",", "none", "null", "0", "00", "-1", "1e3",
		"ä", "a\u0308", "Ä", "ß", "ss", "ı", "i", "I", "K", "\u212a", "日本", "🎉", "👩‍👩‍👧",
		"\u200b", "\u2028", "\ufeff", "\ufffd", "عربي",
		"comet", "a.comet", "a.", "a..", "a.b", "CON", "gets", "a gets b", "VALUE", "END", "lock", "tmp",
		long + "x", long + "y", long, strings.Repeat(" ", most), strings.Repeat(" ", most-1), strings.Repeat("%", most),
		strings.Repeat("%", most-1) + " ", strings.Repeat("ä", most/2), strings.Repeat("🎉", most/4),
	}
	s := c.open(t)
	ids := make([]event.ID, len(names))
	want := make([]event.Stamp, len(names))
	for i, name := range names {
		ids[i] = coretest.MustID(name)
		want[i] = publish(t, s, ids[i], nil)
	}
	for i, stamp := range check(t, s, ids...).Stamps {
		if stamp != want[i] {
			t.Errorf("%q was published at %v, but its stamp is %v", names[i], want[i], stamp)
		}
	}
}

func (c contract) thousandsOfEvents(t *testing.T) {
	const events, every = 5000, 500
	s := c.open(t)
	name := newID("one of thousands").String()
	name += strings.Repeat("-", event.MaxID-len(name)-len("0000"))
	ids := make([]event.ID, events)
	want := make([]event.Stamp, events)
	for i := range ids {
		ids[i] = coretest.MustID(fmt.Sprintf("%s%04d", name, i))
		if i%every == 0 {
			want[i] = publish(t, s, ids[i], nil)
		}
	}
	for i, stamp := range check(t, s, ids...).Stamps {
		if stamp != want[i] {
			t.Fatalf("stamp %d of %d is %v; want %v", i, events, stamp, want[i])
		}
	}
}

// clock compares a new stamp with the store's clock before and after the publication.
func (c contract) clock(t *testing.T) {
	const longest = 10 * time.Second // A legacy poll would wait that long for nothing.
	s := c.open(t)
	timing := s.Timing()
	for what, d := range map[string]time.Duration{
		"Resolution": timing.Resolution, "Lag": timing.Lag, "Lead": timing.Lead, "Write": timing.Write,
	} {
		if d < 0 || d > longest {
			t.Errorf("%s is %v; want 0 to %v", what, d, longest)
		}
	}
	var slowest time.Duration
	read := func(id event.ID) event.Stamp {
		began := time.Now()
		now := check(t, s, id).Now
		slowest = max(slowest, time.Since(began))
		return now
	}
	for range 100 {
		id := newID("clock")
		before := read(id)
		stamp := publish(t, s, id, nil)
		after := read(id)
		if after < before {
			t.Fatalf("the store's clock went back from %v to %v", before, after)
		}
		if stamp < before.Add(-timing.Lag) {
			t.Fatalf("published after %v, but the stamp is %v: more than Lag (%v) earlier", before, stamp, timing.Lag)
		}
		lead := timing.Lead
		if lead > 0 { // One of several clocks may seem late by as much as the check took that read it.
			lead += slowest
		}
		if stamp > after.Add(lead) {
			t.Fatalf("published before %v, but the stamp is %v: more than Lead (%v) later", after, stamp, lead)
		}
	}
}

func (c contract) stampAhead(t *testing.T) {
	const far, century = 2 * time.Second, 100 * 365 * 24 * time.Hour
	if c.SetStamp == nil {
		t.Skip("the test cannot set a stamp")
	}
	s := c.open(t)
	timing := s.Timing()
	for _, ahead := range []time.Duration{-century / 10, -time.Second, far - time.Second, far + time.Second, century} {
		id := newID("ahead")
		before := check(t, s, id).Now
		old := before.Add(ahead)
		c.SetStamp(t, id, old)
		stamp := publish(t, s, id, nil)
		after := check(t, s, id).Now
		isNow := stamp >= before.Add(-timing.Lag) && stamp <= after.Add(timing.Lead)
		if !(isNow && (stamp > old || old > before.Add(far)) || stamp == old+1 && old <= after.Add(far)) {
			t.Errorf("%v to %v, the stamp after %v is %v", before, after, old, stamp)
		}
		if seen := check(t, s, id).Stamps[0]; seen != stamp {
			t.Errorf("Publish returned %v, but Check %v", stamp, seen)
		}
	}
}

func (c contract) onePlace(t *testing.T) {
	if c.Place == nil {
		t.Skip("the store is in this process alone")
	}
	one, other := c.openTwice(t)
	id := newID("shared")
	first := publish(t, one, id, nil)
	if seen := check(t, other, id).Stamps[0]; seen != first {
		t.Errorf("published at %v, but the other store sees %v", first, seen)
	}
	second := publish(t, other, id, nil)
	if seen := check(t, one, id).Stamps[0]; seen != second || second <= first {
		t.Errorf("published at %v and by the other store at %v, but the stamp is %v", first, second, seen)
	}
}
