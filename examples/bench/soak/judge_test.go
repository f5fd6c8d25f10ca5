package soak

import (
	"testing"
	"time"
)

const (
	ms  = time.Millisecond
	sec = time.Second
)

// at is a time of these histories: second 1000 and something.
func at(d time.Duration) time.Time { return time.Unix(1000, 0).Add(d) }

// heard is an answer at a time, of a second as the old pages get it.
func heard(when time.Duration, s int64) told {
	t := told{at: at(when)}
	t.from, t.to = second(s)
	return t
}

// learned is an answer at a time, of a stamp.
func learned(when, stamp time.Duration) told {
	return told{at: at(when), from: at(stamp), to: at(stamp)}
}

// The histories are of one event and one page, which came at second 1000. 1 s of slack is allowed.
func TestJudgement(t *testing.T) {
	type want struct{ judged, never, late, spurious int }
	repeated, since := heard(3500*ms, 1000), heard(3500*ms, 1000)
	repeated.since, since.since = at(2*sec), at(500*ms)
	tests := []struct {
		name      string
		kind      kind
		seen      time.Duration   // up to when the page said it had seen the event when it came
		published []time.Duration // stamps
		outage    [2]time.Duration
		lain      [2]time.Duration
		told      []told
		want      want
	}{
		{name: "told", kind: precise, published: []time.Duration{sec}, told: []told{learned(1001*ms, sec)}, want: want{judged: 1}},
		{name: "told of a later one", kind: precise, published: []time.Duration{sec, 1500 * ms},
			told: []told{learned(1501*ms, 1500*ms)}, want: want{judged: 2}},
		{name: "told of the earlier one only", kind: precise, published: []time.Duration{sec, 1500 * ms},
			told: []told{learned(1600*ms, sec)}, want: want{judged: 2, never: 1}},
		{name: "not told", kind: precise, published: []time.Duration{sec}, want: want{judged: 1, never: 1}},
		{name: "too late", kind: precise, published: []time.Duration{sec}, told: []told{learned(2001*ms, sec)}, want: want{judged: 1, late: 1}},
		{name: "a later one, too late", kind: precise, published: []time.Duration{sec, 2 * sec},
			told: []told{learned(2001*ms, 2*sec)}, want: want{judged: 2, late: 1}},
		{name: "late, but nobody was there to tell", kind: precise, published: []time.Duration{sec},
			outage: [2]time.Duration{1100 * ms, 1200 * ms}, told: []told{learned(2001*ms, sec)}, want: want{judged: 1}},
		{name: "late in spite of a restart", kind: precise, published: []time.Duration{sec},
			outage: [2]time.Duration{2100 * ms, 2200 * ms}, told: []told{learned(2101*ms, sec)}, want: want{judged: 1, late: 1}},
		{name: "late, but its poll was not read", kind: precise, published: []time.Duration{sec},
			lain: [2]time.Duration{900 * ms, 1100 * ms}, told: []told{learned(2100*ms, sec)}, want: want{judged: 1}},
		{name: "late, for a time counts once only", kind: precise, published: []time.Duration{sec}, outage: [2]time.Duration{1100 * ms, 1200 * ms},
			lain: [2]time.Duration{1050 * ms, 1180 * ms}, told: []told{learned(2151*ms, sec)}, want: want{judged: 1, late: 1}},
		{name: "not late, for both count", kind: precise, published: []time.Duration{sec}, outage: [2]time.Duration{1100 * ms, 1200 * ms},
			lain: [2]time.Duration{1050 * ms, 1180 * ms}, told: []told{learned(2150*ms, sec)}, want: want{judged: 1}},
		{name: "before the page came", kind: precise, seen: sec, published: []time.Duration{sec}, want: want{}},
		{name: "while the page had seen less, but was not there", kind: precise, seen: -time.Hour, published: []time.Duration{-time.Minute},
			told: []told{learned(900*ms, -time.Minute)}, want: want{judged: 1}},
		{name: "what nobody had published", kind: precise, published: []time.Duration{sec},
			told: []told{learned(1001*ms, sec), learned(1500*ms, 1400*ms)}, want: want{judged: 1, spurious: 1}},
		{name: "what the page has sent", kind: precise, published: []time.Duration{sec},
			told: []told{learned(1001*ms, sec), {at: at(1002 * ms), from: at(sec), to: at(sec), again: true}}, want: want{judged: 1, spurious: 1}},

		{name: "the second, when it was over", kind: wholeSecond, published: []time.Duration{100 * ms, 900 * ms},
			told: []told{heard(1020*ms, 1000)}, want: want{judged: 2}},
		{name: "the second, before the last in it", kind: wholeSecond, published: []time.Duration{100 * ms, 900 * ms},
			told: []told{heard(500*ms, 1000)}, want: want{judged: 2, never: 1}},
		{name: "a later second", kind: wholeSecond, published: []time.Duration{100 * ms, 1900 * ms},
			told: []told{heard(2020*ms, 1001)}, want: want{judged: 2}},
		{name: "in a second that the page says it has seen", kind: wholeSecond, seen: sec - time.Microsecond, published: []time.Duration{900 * ms}, want: want{}},
		{name: "old pages may be told 3 s later", kind: wholeSecond, published: []time.Duration{100 * ms}, told: []told{heard(4100*ms, 1000)}, want: want{judged: 1}},
		{name: "and not after that", kind: wholeSecond, published: []time.Duration{100 * ms}, told: []told{heard(4101*ms, 1000)}, want: want{judged: 1, late: 1}},
		{name: "the same second again", kind: wholeSecond, published: []time.Duration{100 * ms},
			told: []told{heard(1020*ms, 1000), repeated}, want: want{judged: 1, spurious: 1}},
		{name: "the same second again, for more was published in it", kind: wholeSecond, published: []time.Duration{100 * ms, 900 * ms},
			told: []told{heard(150*ms, 1000), since}, want: want{judged: 2}},
		{name: "another second than that of the publication", kind: wholeSecond, published: []time.Duration{900 * ms},
			told: []told{heard(2020*ms, 1001)}, want: want{judged: 1, spurious: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &page{kind: tt.kind, ids: []string{"a"}, joined: at(0), seen: map[string]time.Time{"a": at(tt.seen)}, told: map[string][]told{"a": tt.told}}
			s := &soak{place: place{tells: true}, options: Options{Slack: sec}, pages: []*page{p}}
			for _, d := range tt.published {
				s.publications = append(s.publications, publication{id: "a", begin: at(d - ms), end: at(d + ms), stamp: at(d)})
			}
			p.lain = []outage{{at(tt.lain[0]), at(tt.lain[1])}}
			s.outages = []outage{{at(tt.outage[0]), at(tt.outage[1])}}
			r := s.judge()
			if got := (want{r.Judged, r.Never, r.Late, r.Spurious}); got != tt.want {
				t.Errorf("got %+v, want %+v; %q", got, tt.want, r.Details)
			}
			if bad := tt.want != (want{judged: tt.want.judged}); r.Good() == (bad || r.Judged == 0) {
				t.Errorf("good: %v", r.Good())
			}
		})
	}
}

func TestAPageWithoutAnyAnswerHasMissedSomething(t *testing.T) {
	s := &soak{pages: []*page{{kind: precise, ids: []string{"a"}}}}
	if r := s.judge(); r.Never != 1 || r.Good() {
		t.Errorf("%+v", r)
	}
}

func TestWholeSecondPagesMayBeTold1SecondLaterWhereTheirClockIsAhead(t *testing.T) {
	s := &soak{place: place{tells: true}}
	right, ahead := s.bound(&page{kind: wholeSecond}), s.bound(&page{kind: wholeSecond, ahead: 1})
	if right != 3*sec || ahead != 4*sec {
		t.Errorf("%v and %v, want 3s and 4s", right, ahead)
	}
	s.tells = false
	if got := s.bound(&page{kind: precise}); got != sleep {
		t.Errorf("where nothing tells: %v, want one sleep", got)
	}
}
