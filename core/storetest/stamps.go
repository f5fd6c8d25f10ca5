package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"novcomet/core"
)

type countError struct{ got, want int }

func (e countError) Error() string { return fmt.Sprintf("%d stamps for %d events", e.got, e.want) }

func neverPublished(t *testing.T, s subject) {
	store := s.open(t)
	missing, other := newID(t, "missing"), newID(t, "other")
	publish(t, store, other)
	if got := look(t, store, missing).Stamps[0]; got != 0 {
		t.Errorf("its stamp is %v; want 0", got)
	}
	if got := look(t, store).Stamps; len(got) != 0 {
		t.Errorf("asked for no event, it gave %v", got)
	}
}

func later(t *testing.T, s subject) {
	store := s.open(t)
	id := newID(t, "later")
	var last core.Stamp
	for i := range 500 {
		stamp := publish(t, store, id)
		if stamp <= last {
			t.Fatalf("publication %d: %v, after %v", i+1, stamp, last)
		}
		if seen := look(t, store, id).Stamps[0]; seen != stamp {
			t.Fatalf("publication %d: Publish returned %v, but the stamp is %v", i+1, stamp, seen)
		}
		last = stamp
	}
}

func orderAsked(t *testing.T, s subject) {
	store := s.open(t)
	a, b, missing := newID(t, "a"), newID(t, "b"), newID(t, "missing")
	want := map[core.ID]core.Stamp{a: publish(t, store, a), b: publish(t, store, b)}
	for _, ids := range [][]core.ID{{a, b, missing}, {missing, b, a}, {b, missing, b, a, a, missing}} {
		snapshot := look(t, store, ids...)
		for i, id := range ids {
			if snapshot.Stamps[i] != want[id] {
				t.Errorf("%q, the %d. of %q: %v; want %v", id, i+1, ids, snapshot.Stamps[i], want[id])
			}
		}
	}
}

// shapes are ids in which a store may stumble: they become file names, keys, commands, patterns.
func shapes(t *testing.T, s subject) {
	long := strings.Repeat("x", core.MaxID-1)
	names := []string{
		"news", "News", "NEWS", "news ", " news", "  news", "news\u00a0", "n", " ", "  ",
		"a b", "a  b", "a%20b", "a+b", "a%2520b", "%", "%%", "%25", "%2", "a%sb", "%d", "a\\b", `\`, `\n`, `"`, `'`, "`", "''", `a"b'c`,
		"a:b", "a::b", ":", "a;b", "a|b", "a&b", "a=b", "a?b", "#", "a#b", "$a", "${a}", "$(a)", "~", "-", "--", "-n", "@", "^", "!",
		"*", "a*", "[a]", "[^a]", "{a}", "{a}b", "{a}c", "{}", "{", "}", "a,b", ",", "none", "null", "0", "00", "-1", "1e3",
		"ä", "a\u0308", "Ä", "ß", "ss", "ı", "i", "I", "K", "\u212a", "日本", "🎉", "👩‍👩‍👧", "\u200b", "\u2028", "\ufeff", "\ufffd", "عربي",
		"comet", "a.comet", "a.", "a..", "a.b", "CON", "gets", "a gets b", "VALUE", "END", "lock", "tmp",
		long + "x", long + "y", long, strings.Repeat(" ", core.MaxID), strings.Repeat(" ", core.MaxID-1), strings.Repeat("%", core.MaxID),
		strings.Repeat("%", core.MaxID-1) + " ", strings.Repeat("ä", core.MaxID/2), strings.Repeat("🎉", core.MaxID/4),
	}
	store := s.open(t)
	ids := make([]core.ID, len(names))
	want := make([]core.Stamp, len(names))
	for i, name := range names {
		ids[i] = mustID(t, name)
		want[i] = publish(t, store, ids[i])
	}
	got := look(t, store, ids...).Stamps
	for i := range ids {
		if got[i] != want[i] {
			t.Errorf("%q was published at %v, but its stamp is %v: another event's?", names[i], want[i], got[i])
		}
	}
}

func thousands(t *testing.T, s subject) {
	const events, every = 5000, 500
	store := s.open(t)
	name := newID(t, "one of thousands").String()
	name += strings.Repeat("-", core.MaxID-len(name)-len("0000"))
	ids := make([]core.ID, events)
	want := make([]core.Stamp, events)
	for i := range ids {
		ids[i] = mustID(t, fmt.Sprintf("%s%04d", name, i))
		if i%every == 0 {
			want[i] = publish(t, store, ids[i])
		}
	}
	if got := look(t, store, ids...).Stamps; !slices.Equal(got, want) {
		for i := range ids {
			if got[i] != want[i] {
				t.Fatalf("the %d. of %d: %v; want %v", i+1, events, got[i], want[i])
			}
		}
	}
}

// clock checks a new stamp against the store's own clock before and after the publication, and what the store says of both.
func clock(t *testing.T, s subject) {
	const longest = 10 * time.Second // More would make a whole-second poll wait for nothing.
	store := s.open(t)
	timing := core.Timing{Lag: 20 * time.Millisecond}
	if timed, ok := store.(core.Timed); ok {
		timing = timed.Timing()
	}
	for what, d := range map[string]time.Duration{"Settle": timing.Settle, "Lag": timing.Lag, "Lead": timing.Lead} {
		if d < 0 || d > longest {
			t.Errorf("%s is %v; want 0 to %v", what, d, longest)
		}
	}
	for range 100 {
		id := newID(t, "clock")
		before := look(t, store, id).Now
		stamp := publish(t, store, id)
		after := look(t, store, id).Now
		if after < before {
			t.Fatalf("the store's clock went from %v back to %v", before, after)
		}
		if earliest := before.Add(-timing.Lag); stamp < earliest {
			t.Fatalf("published after %v, the stamp is %v: that lags by more than the %v it may", before, stamp, timing.Lag)
		}
		if latest := after.Add(timing.Lead); stamp > latest {
			t.Fatalf("published before %v, the stamp is %v: that is further ahead than the %v it may", after, stamp, timing.Lead)
		}
	}
}

func elsewhere(t *testing.T, s subject) {
	if s.Place == nil {
		t.Skip("the store lives in this process alone")
	}
	id := newID(t, "elsewhere")
	one, other := s.open(t), s.open(t)
	first := publish(t, one, id)
	if got := look(t, other, id).Stamps[0]; got != first {
		t.Errorf("published at %v, but seen from elsewhere at %v", first, got)
	}
	second := publish(t, other, id)
	if got := look(t, one, id).Stamps[0]; got != second || second <= first {
		t.Errorf("published at %v, then elsewhere at %v, but seen at %v", first, second, got)
	}
}
