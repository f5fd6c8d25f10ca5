package soak

import (
	"testing"
	"time"
)

const (
	ms  = time.Millisecond
	sec = time.Second
)

// at returns a time after second 1000.
func at(d time.Duration) time.Time { return time.Unix(1000, 0).Add(d) }

// legacyAt is a delivery at a time, of a second.
func legacyAt(when time.Duration, second int64) delivery {
	d := delivery{at: at(when)}
	d.from, d.to = secondOf(second)
	return d
}

// preciseAt is a delivery at a time, of a stamp.
func preciseAt(when, stamp time.Duration) delivery {
	return delivery{at: at(when), from: at(stamp), to: at(stamp)}
}

// Each history has one event and one page, which joined at second 1000. The slack is 1 s.
func TestJudge(t *testing.T) {
	type want struct{ expected, never, late, spurious int }
	repeated, since := legacyAt(3500*ms, 1000), legacyAt(3500*ms, 1000)
	repeated.since, since.since = at(2*sec), at(500*ms)
	tests := []struct {
		name       string
		kind       kind
		known      time.Duration   // the stamp up to which the page knew everything when it joined
		published  []time.Duration // stamps
		restart    [2]time.Duration
		unread     [2]time.Duration
		deliveries []delivery
		want       want
	}{
		{name: "delivered", kind: precise, published: []time.Duration{sec},
			deliveries: []delivery{preciseAt(1001*ms, sec)}, want: want{expected: 1}},
		{name: "a later one delivered", kind: precise, published: []time.Duration{sec, 1500 * ms},
			deliveries: []delivery{preciseAt(1501*ms, 1500*ms)}, want: want{expected: 2}},
		{name: "only the earlier one delivered", kind: precise, published: []time.Duration{sec, 1500 * ms},
			deliveries: []delivery{preciseAt(1600*ms, sec)}, want: want{expected: 2, never: 1}},
		{name: "not delivered", kind: precise, published: []time.Duration{sec}, want: want{expected: 1, never: 1}},
		{name: "too late", kind: precise, published: []time.Duration{sec},
			deliveries: []delivery{preciseAt(2001*ms, sec)}, want: want{expected: 1, late: 1}},
		{name: "a later one, too late", kind: precise, published: []time.Duration{sec, 2 * sec},
			deliveries: []delivery{preciseAt(2001*ms, 2*sec)}, want: want{expected: 2, late: 1}},
		{name: "late, but comet-fcgi was restarted", kind: precise, published: []time.Duration{sec},
			restart: [2]time.Duration{1100 * ms, 1200 * ms}, deliveries: []delivery{preciseAt(2001*ms, sec)},
			want: want{expected: 1}},
		{name: "late before a restart", kind: precise, published: []time.Duration{sec},
			restart: [2]time.Duration{2100 * ms, 2200 * ms}, deliveries: []delivery{preciseAt(2101*ms, sec)},
			want: want{expected: 1, late: 1}},
		{name: "late, but the poll was not read", kind: precise, published: []time.Duration{sec},
			unread: [2]time.Duration{900 * ms, 1100 * ms}, deliveries: []delivery{preciseAt(2100*ms, sec)},
			want: want{expected: 1}},
		{name: "late, because two gaps at the same time count once", kind: precise, published: []time.Duration{sec},
			restart: [2]time.Duration{1100 * ms, 1200 * ms},
			unread:  [2]time.Duration{1050 * ms, 1180 * ms}, deliveries: []delivery{preciseAt(2151*ms, sec)},
			want: want{expected: 1, late: 1}},
		{name: "in time, because the gaps count together", kind: precise, published: []time.Duration{sec},
			restart: [2]time.Duration{1100 * ms, 1200 * ms},
			unread:  [2]time.Duration{1050 * ms, 1180 * ms}, deliveries: []delivery{preciseAt(2150*ms, sec)},
			want: want{expected: 1}},
		{name: "published before the page joined", kind: precise, known: sec, published: []time.Duration{sec},
			want: want{}},
		{name: "published before the page joined, but unknown to it", kind: precise, known: -time.Hour,
			published:  []time.Duration{-time.Minute},
			deliveries: []delivery{preciseAt(900*ms, -time.Minute)}, want: want{expected: 1}},
		{name: "nobody had published it", kind: precise, published: []time.Duration{sec},
			deliveries: []delivery{preciseAt(1001*ms, sec), preciseAt(1500*ms, 1400*ms)},
			want:       want{expected: 1, spurious: 1}},
		{name: "the same stamp again", kind: precise, published: []time.Duration{sec},
			deliveries: []delivery{preciseAt(1001*ms, sec), {at: at(1002 * ms), from: at(sec), to: at(sec), again: true}},
			want:       want{expected: 1, spurious: 1}},

		{name: "the second, after its end", kind: legacy, published: []time.Duration{100 * ms, 900 * ms},
			deliveries: []delivery{legacyAt(1020*ms, 1000)}, want: want{expected: 2}},
		{name: "the second, before its last publication", kind: legacy,
			published:  []time.Duration{100 * ms, 900 * ms},
			deliveries: []delivery{legacyAt(500*ms, 1000)}, want: want{expected: 2, never: 1}},
		{name: "a later second", kind: legacy, published: []time.Duration{100 * ms, 1900 * ms},
			deliveries: []delivery{legacyAt(2020*ms, 1001)}, want: want{expected: 2}},
		{name: "in a second that the page knows", kind: legacy, known: sec - time.Microsecond,
			published: []time.Duration{900 * ms}, want: want{}},
		{name: "3 s and the slack later", kind: legacy, published: []time.Duration{100 * ms},
			deliveries: []delivery{legacyAt(4100*ms, 1000)}, want: want{expected: 1}},
		{name: "later than that", kind: legacy, published: []time.Duration{100 * ms},
			deliveries: []delivery{legacyAt(4101*ms, 1000)}, want: want{expected: 1, late: 1}},
		{name: "the same second again", kind: legacy, published: []time.Duration{100 * ms},
			deliveries: []delivery{legacyAt(1020*ms, 1000), repeated}, want: want{expected: 1, spurious: 1}},
		{name: "the same second again, with a further publication", kind: legacy,
			published:  []time.Duration{100 * ms, 900 * ms},
			deliveries: []delivery{legacyAt(150*ms, 1000), since}, want: want{expected: 2}},
		{name: "another second than that of the publication", kind: legacy, published: []time.Duration{900 * ms},
			deliveries: []delivery{legacyAt(2020*ms, 1001)}, want: want{expected: 1, spurious: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &page{kind: tt.kind, ids: []string{"a"}, joined: at(0), known: map[string]time.Time{"a": at(tt.known)},
				deliveries: map[string][]delivery{"a": tt.deliveries}}
			s := &soak{target: target{notifies: true}, options: Options{Slack: sec}, pages: []*page{p}}
			for _, d := range tt.published {
				s.publications = append(s.publications, publication{id: "a", begin: at(d - ms), end: at(d + ms), stamp: at(d)})
			}
			p.unread = []gap{{at(tt.unread[0]), at(tt.unread[1])}}
			s.restarts = []gap{{at(tt.restart[0]), at(tt.restart[1])}}
			r := s.judge()
			if got := (want{r.Expected, r.Never, r.Late, r.Spurious}); got != tt.want {
				t.Errorf("got %+v, want %+v; %q", got, tt.want, r.Details)
			}
			if bad := tt.want != (want{expected: tt.want.expected}); r.Good() == (bad || r.Expected == 0) {
				t.Errorf("good: %v", r.Good())
			}
		})
	}
}

func TestJudge_CountsAPageWithoutAnyAnswerAsMissed(t *testing.T) {
	s := &soak{pages: []*page{{kind: precise, ids: []string{"a"}}}}
	if r := s.judge(); r.Never != 1 || r.Good() {
		t.Errorf("%+v", r)
	}
}

func TestAllowed_IsLongerWithAClockAheadAndWithoutNotifications(t *testing.T) {
	s := &soak{target: target{notifies: true}}
	right, ahead := s.allowed(&page{kind: legacy}), s.allowed(&page{kind: legacy, ahead: 1})
	if right != 3*sec || ahead != 4*sec {
		t.Errorf("%v and %v, want 3s and 4s", right, ahead)
	}
	s.notifies = false
	if got := s.allowed(&page{kind: precise}); got != sleep {
		t.Errorf("without notifications: %v, want one sleep", got)
	}
}
