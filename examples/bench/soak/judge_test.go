package soak

import (
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
)

// bothJudge lets both judges judge, which must agree.
func bothJudge(t *testing.T, h *History) *Report {
	t.Helper()
	r := h.judge()
	again, err := h.JudgeAgain(t.Context(), filepath.Join(t.TempDir(), "history"))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(r.Verdict, *again) {
		t.Fatalf("the judges disagree:\n%+v\n%+v in judge.py", r.Verdict, *again)
	}
	return r
}

const (
	ms  = micros(1000)
	sec = 1000 * ms
)

// at returns a time after second 1000.
func at(d micros) micros { return 1000*sec + d }

// cursor returns the precise cursor of a stamp after second 1000.
func cursor(stamp micros) string {
	return fmt.Sprintf("%d.%06d", at(stamp)/sec, at(stamp)%sec)
}

// got is an answer with a precise stamp, or with a second. The poll had the cursor asked.
func got(when micros, asked, stamp string) *pollRecord {
	return &pollRecord{
		Page: 1, Sent: at(when - ms), At: at(when), Cursors: map[string]string{"a": asked},
		Answer: fmt.Sprintf(`{"s":1,"k":{"a":%s},"at":{"a":"%[1]s"}}`, stamp),
	}
}

// gotLegacy is an answer with a second, which was asked for at another time.
func gotLegacy(sent, when micros, asked, second string) *pollRecord {
	p := got(when, asked, second)
	p.Sent, p.Answer = at(sent), fmt.Sprintf(`{"s":1,"k":{"a":%s}}`, second)
	return p
}

func withData(p *pollRecord, data string) *pollRecord {
	p.Data = true
	if data != "" {
		p.Answer = p.Answer[:len(p.Answer)-1] + `,"d":{"a":` + data + `}}`
	}
	return p
}

// unchanged is an answer that nothing has changed.
func unchanged(sent, when micros) *pollRecord {
	return &pollRecord{Page: 1, Sent: at(sent), At: at(when), Cursors: map[string]string{"a": "999"}, Answer: `{"s":0}`}
}

func pending(sent, when micros) *pollRecord {
	p := unchanged(sent, when)
	p.Answer, p.Pending = "", true
	return p
}

// ofStream turns an answer into an event of a stream that was opened at second 1000, or into its end.
func ofStream(p *pollRecord) *pollRecord {
	p.Opened = at(0)
	if p.Answer == `{"s":0}` {
		p.Answer = ""
	}
	return p
}

func failed(when micros, ended bool) *pollRecord {
	p := got(when, "999", "999")
	p.Answer, p.Error, p.Ended = "", "HTTP 502", ended
	return p
}

func published(stamp micros) *publication {
	return &publication{ID: "a", Way: "touch", Start: at(stamp - ms), End: at(stamp + ms), Stamp: at(stamp)}
}

func publishedData(stamp micros, data string) *publication {
	p := published(stamp)
	p.Way, p.Data = "URL with data", &data
	return p
}

func during(kind string, from, to micros) *disturbanceRecord {
	return &disturbanceRecord{Kind: kind, Start: at(from), End: at(to)}
}

func addAll[T any](h *History, records []T) {
	for _, r := range records {
		h.add(r)
	}
}

// Each history has one event and one page, which joined at second 1000 and knew what was published until
// 100 ms before, or until the second 999 was over. The slack is 1 s.
func TestJudges_AgreeOn(t *testing.T) {
	const known = -100 * ms
	start := cursor(known)
	tests := []struct {
		name         string
		kind         kind
		published    []*publication
		polls        []*pollRecord
		disturbances []*disturbanceRecord
		want         Verdict
	}{
		{name: "a delivery", kind: precise, published: []*publication{published(sec)},
			polls: []*pollRecord{got(1001*ms, start, cursor(sec))}, want: Verdict{Expected: 1}},
		{name: "a later one", kind: precise, published: []*publication{published(sec), published(1500 * ms)},
			polls: []*pollRecord{got(1501*ms, start, cursor(1500*ms))}, want: Verdict{Expected: 2}},
		{name: "only the earlier one", kind: precise, published: []*publication{published(sec), published(1500 * ms)},
			polls: []*pollRecord{got(1600*ms, start, cursor(sec))}, want: Verdict{Expected: 2, Never: 1}},
		{name: "no delivery", kind: stream, published: []*publication{published(sec)}, want: Verdict{Expected: 1, Never: 1}},
		{name: "one that is too late", kind: precise, published: []*publication{published(sec)},
			polls: []*pollRecord{got(2001*ms, start, cursor(sec))}, want: Verdict{Expected: 1, Late: 1}},
		{name: "one that is late because of a restart", kind: precise, published: []*publication{published(sec)},
			disturbances: []*disturbanceRecord{during("restart", 1100*ms, 1200*ms)},
			polls:        []*pollRecord{got(2001*ms, start, cursor(sec))}, want: Verdict{Expected: 1}},
		{name: "one that was late before a restart", kind: precise, published: []*publication{published(sec)},
			disturbances: []*disturbanceRecord{during("restart", 2100*ms, 2200*ms)},
			polls:        []*pollRecord{got(2101*ms, start, cursor(sec))}, want: Verdict{Expected: 1, Late: 1}},
		{name: "one that is late because of two disturbances, which count once", kind: precise,
			published:    []*publication{published(sec)},
			disturbances: []*disturbanceRecord{during("kill", 1100*ms, 1200*ms), during("stop worker", 1050*ms, 1180*ms)},
			polls:        []*pollRecord{got(2151*ms, start, cursor(sec))}, want: Verdict{Expected: 1, Late: 1}},
		{name: "one that is late, but a full directory does not excuse that", kind: precise,
			published:    []*publication{published(sec)},
			disturbances: []*disturbanceRecord{during("full", 1100*ms, 1900*ms)},
			polls:        []*pollRecord{got(2001*ms, start, cursor(sec))}, want: Verdict{Expected: 1, Late: 1}},
		{name: "what the page knew when it joined", kind: precise, published: []*publication{published(known)}},
		{name: "an older stamp after the clock was set back", kind: precise,
			published: []*publication{published(5 * sec),
				{ID: "a", Start: at(6 * sec), End: at(6*sec + ms), Stamp: at(2 * sec)}},
			disturbances: []*disturbanceRecord{{Kind: "clock", Start: at(4 * sec), End: at(6 * sec), Ahead: 3 * sec}},
			polls: []*pollRecord{got(5001*ms, start, cursor(5*sec)),
				got(6002*ms, cursor(5*sec), cursor(2*sec))},
			want: Verdict{Expected: 1, Errors: map[string]int{"publishing by : the stamp is an old one": 1}}},
		{name: "what nobody had published", kind: precise, published: []*publication{published(sec)},
			polls: []*pollRecord{got(1001*ms, start, cursor(sec)), got(1500*ms, cursor(sec), cursor(1400*ms))},
			want:  Verdict{Expected: 1, Invented: 1}},
		{name: "the same stamp again", kind: precise, published: []*publication{published(sec)},
			polls: []*pollRecord{got(1001*ms, start, cursor(sec)), got(1002*ms, cursor(sec), cursor(sec))},
			want:  Verdict{Expected: 1, Disordered: 1}},
		{name: "an older stamp", kind: precise, published: []*publication{published(sec), published(1900 * ms)},
			polls: []*pollRecord{got(1901*ms, start, cursor(1900*ms)), got(1902*ms, cursor(1900*ms), cursor(sec))},
			want:  Verdict{Expected: 2, Disordered: 1}},
		{name: "an older stamp after a failover", kind: precise,
			published:    []*publication{published(sec), published(2 * sec)},
			disturbances: []*disturbanceRecord{during("failover", 2002*ms, 3*sec)},
			polls: []*pollRecord{got(1001*ms, start, cursor(sec)), got(2001*ms, cursor(sec), cursor(2*sec)),
				got(3*sec, cursor(2*sec), cursor(sec))},
			want: Verdict{Expected: 2}},

		{name: "a loss by FLUSHALL", kind: precise, published: []*publication{published(sec)},
			disturbances: []*disturbanceRecord{during("flush", 1010*ms, 1020*ms)},
			want:         Verdict{Expected: 1, Excused: map[string]int{"flush": 1}}},
		{name: "a loss before FLUSHALL", kind: precise, published: []*publication{published(sec)},
			disturbances: []*disturbanceRecord{during("flush", 2010*ms, 2020*ms)}, want: Verdict{Expected: 1, Never: 1}},
		{name: "a loss while the directory is away", kind: precise, published: []*publication{published(sec)},
			disturbances: []*disturbanceRecord{during("away", 1010*ms, 1020*ms)}, want: Verdict{Expected: 1, Never: 1}},
		{name: "the same with a legacy page", kind: legacy, published: []*publication{published(sec)},
			polls:        []*pollRecord{gotLegacy(0, 500*ms, "999", "999")},
			disturbances: []*disturbanceRecord{during("away", 1010*ms, 1020*ms)},
			want:         Verdict{Expected: 1, Invented: 1, Excused: map[string]int{"away": 1}}},

		{name: "data", kind: precise, published: []*publication{publishedData(sec, `{"n":1}`)},
			polls: []*pollRecord{withData(got(1001*ms, start, cursor(sec)), `{"n":1}`)}, want: Verdict{Expected: 1}},
		{name: "data that a later touch keeps", kind: precise,
			published: []*publication{publishedData(sec, `{"n":1}`), published(2 * sec)},
			polls:     []*pollRecord{withData(got(2001*ms, start, cursor(2*sec)), `{"n":1}`)},
			want:      Verdict{Expected: 2, Late: 1}},
		{name: "torn data", kind: precise, published: []*publication{publishedData(sec, `{"n":12}`)},
			polls: []*pollRecord{withData(got(1001*ms, start, cursor(sec)), `{"n":1}`)},
			want:  Verdict{Expected: 1, Torn: 1}},
		{name: "no data", kind: stream, published: []*publication{publishedData(sec, `{"n":1}`)},
			polls: []*pollRecord{withData(got(1001*ms, start, cursor(sec)), "")}, want: Verdict{Expected: 1, Torn: 1}},
		{name: "no data, although descriptors were missing", kind: precise,
			published:    []*publication{publishedData(sec, `{"n":1}`)},
			disturbances: []*disturbanceRecord{during("descriptors", 500*ms, 1200*ms)},
			polls:        []*pollRecord{withData(got(1001*ms, start, cursor(sec)), "")},
			want:         Verdict{Expected: 1, Torn: 1}},
		{name: "no data, because the previous release had no descriptors", kind: precise,
			published: []*publication{publishedData(sec, `{"n":1}`)},
			disturbances: []*disturbanceRecord{{
				Kind: "descriptors", Target: previousRelease, Start: at(500 * ms), End: at(1200 * ms),
			}},
			polls: []*pollRecord{withData(got(1001*ms, start, cursor(sec)), "")}, want: Verdict{Expected: 1}},
		{name: "no data, after the previous release had no descriptors", kind: precise,
			published: []*publication{publishedData(1900*ms, `{"n":1}`)},
			disturbances: []*disturbanceRecord{{
				Kind: "descriptors", Target: previousRelease, Start: at(500 * ms), End: at(900 * ms),
			}},
			polls: []*pollRecord{withData(got(1901*ms, start, cursor(1900*ms)), "")}, want: Verdict{Expected: 1, Torn: 1}},
		{name: "data of an earlier publication", kind: precise,
			published: []*publication{publishedData(sec, `{"n":1}`), publishedData(2*sec, `{"n":2}`)},
			polls: []*pollRecord{withData(got(1001*ms, start, cursor(sec)), `{"n":1}`),
				withData(got(2001*ms, cursor(sec), cursor(2*sec)), `{"n":1}`)},
			want: Verdict{Expected: 2, Stale: 1}},

		{name: "a failed request", kind: precise, polls: []*pollRecord{failed(sec, false)},
			want: Verdict{Errors: map[string]int{"polling precise: HTTP 502": 1}}},
		{name: "one that failed when comet-fcgi was killed", kind: precise, polls: []*pollRecord{failed(sec, false)},
			disturbances: []*disturbanceRecord{during("kill", 900*ms, 950*ms)},
			want:         Verdict{Failed: map[string]int{"polling precise: HTTP 502": 1}}},
		{name: "one that failed when a worker was stopped for request_timeout", kind: precise,
			disturbances: []*disturbanceRecord{during("stop worker", 900*ms, 10900*ms)},
			polls:        []*pollRecord{failed(11*sec, false)},
			want:         Verdict{Failed: map[string]int{"polling precise: HTTP 502": 1}}},
		{name: "one that failed when a worker was stopped for less", kind: precise,
			disturbances: []*disturbanceRecord{during("stop worker", 901*ms, 10900*ms)},
			polls:        []*pollRecord{failed(11*sec, false)},
			want:         Verdict{Errors: map[string]int{"polling precise: HTTP 502": 1}}},
		{name: "one that failed when comet-fcgi was restarted", kind: precise, polls: []*pollRecord{failed(sec, false)},
			disturbances: []*disturbanceRecord{during("restart", 900*ms, 950*ms)},
			want:         Verdict{Errors: map[string]int{"polling precise: HTTP 502": 1}}},
		{name: "a page of comet.php that ended when comet-fcgi was killed", kind: legacy,
			published:    []*publication{published(1500 * ms)},
			polls:        []*pollRecord{gotLegacy(0, 10*ms, "999", "999"), failed(sec, true)},
			disturbances: []*disturbanceRecord{during("kill", 900*ms, 950*ms)},
			want:         Verdict{Invented: 1, Closed: map[string]int{"HTTP 502": 1}}},
		{name: "one that ended for no reason", kind: legacy, polls: []*pollRecord{failed(sec, true)},
			want: Verdict{Ended: 1, Errors: map[string]int{"polling legacy: HTTP 502": 1}}},
		{name: "an invalid answer when comet-fcgi was killed", kind: precise, polls: []*pollRecord{failed(sec, true)},
			disturbances: []*disturbanceRecord{during("kill", 900*ms, 950*ms)},
			want:         Verdict{Ended: 1, Errors: map[string]int{"polling precise: HTTP 502": 1}}},
		{name: "a publication that failed", kind: precise,
			published: []*publication{{ID: "a", Way: "URL", Start: at(sec), End: at(2 * sec), Error: "HTTP 503"}},
			want:      Verdict{Errors: map[string]int{"publishing by URL: HTTP 503": 1}}},
		{name: "one that failed because the directory was full, and was seen", kind: precise,
			published:    []*publication{{ID: "a", Way: "rewriting", Start: at(sec), End: at(2 * sec), Error: "status 1"}},
			disturbances: []*disturbanceRecord{during("full", 900*ms, 2*sec)},
			polls:        []*pollRecord{got(1501*ms, start, cursor(1500*ms))},
			want:         Verdict{Failed: map[string]int{"publishing by rewriting: status 1": 1}}},

		{name: "an unchanged answer after the wait", kind: precise, polls: []*pollRecord{unchanged(0, 10*sec)},
			want: Verdict{}},
		{name: "one before that", kind: precise, polls: []*pollRecord{unchanged(0, 9980*ms)}, want: Verdict{Early: 1}},
		{name: "one before that, to a legacy page", kind: legacy, polls: []*pollRecord{unchanged(0, 9980*ms)},
			want: Verdict{Early: 1}},
		{name: "one before that, when comet-fcgi was restarted", kind: precise, polls: []*pollRecord{unchanged(0, 5*sec)},
			disturbances: []*disturbanceRecord{during("restart", 4*sec, 5100*ms)}, want: Verdict{}},
		{name: "one before that, after a restart", kind: precise, polls: []*pollRecord{unchanged(0, 5*sec)},
			disturbances: []*disturbanceRecord{during("restart", -sec, -ms)}, want: Verdict{Early: 1}},
		{name: "an answer after the wait and the slack", kind: precise, polls: []*pollRecord{unchanged(0, 11*sec)},
			want: Verdict{}},
		{name: "one after that", kind: precise, polls: []*pollRecord{unchanged(0, 11001*ms)}, want: Verdict{Overdue: 1}},
		{name: "one after that, when comet-fcgi was stopped", kind: precise, polls: []*pollRecord{unchanged(0, 11001*ms)},
			disturbances: []*disturbanceRecord{during("stop comet-fcgi", 4*sec, 5*sec)}, want: Verdict{}},
		{name: "a legacy answer that was held", kind: legacy, polls: []*pollRecord{unchanged(0, 19*sec)}, want: Verdict{}},
		{name: "one that was held for longer", kind: legacy, polls: []*pollRecord{unchanged(0, 19001*ms)},
			want: Verdict{Overdue: 1}},
		{name: "no answer when the page was closed", kind: precise, polls: []*pollRecord{pending(0, 9*sec)}, want: Verdict{}},
		{name: "no answer although the time was over", kind: precise, polls: []*pollRecord{pending(0, 12*sec)},
			want: Verdict{Overdue: 1}},
		{name: "a stream that ended in time", kind: stream, published: []*publication{published(sec)},
			polls: []*pollRecord{ofStream(got(1001*ms, start, cursor(sec))), ofStream(unchanged(1001*ms, 30*sec))},
			want:  Verdict{Expected: 1}},
		{name: "a stream that ended too early", kind: stream, published: []*publication{published(sec)},
			polls: []*pollRecord{ofStream(got(1001*ms, start, cursor(sec))), ofStream(unchanged(1001*ms, 20*sec))},
			want:  Verdict{Expected: 1, Early: 1}},
		{name: "an event of a stream that did not end", kind: stream, published: []*publication{published(32 * sec)},
			polls: []*pollRecord{ofStream(got(32001*ms, start, cursor(32*sec)))}, want: Verdict{Expected: 1, Overdue: 1}},

		{name: "a second after its end", kind: legacy, published: []*publication{published(100 * ms), published(900 * ms)},
			polls: []*pollRecord{gotLegacy(0, 1020*ms, "999", "1000")}, want: Verdict{Expected: 2}},
		{name: "a second before its last publication", kind: legacy,
			published: []*publication{published(100 * ms), published(900 * ms)},
			polls:     []*pollRecord{gotLegacy(0, 500*ms, "999", "1000")}, want: Verdict{Expected: 2, Never: 1}},
		{name: "a later second", kind: legacy, published: []*publication{published(100 * ms), published(1900 * ms)},
			polls: []*pollRecord{gotLegacy(0, 2020*ms, "999", "1001")}, want: Verdict{Expected: 2}},
		{name: "a second after 3 s and the slack", kind: legacy, published: []*publication{published(100 * ms)},
			polls: []*pollRecord{gotLegacy(0, 4100*ms, "999", "1000")}, want: Verdict{Expected: 1}},
		{name: "a second after that", kind: legacy, published: []*publication{published(100 * ms)},
			polls: []*pollRecord{gotLegacy(0, 4101*ms, "999", "1000")}, want: Verdict{Expected: 1, Late: 1}},
		{name: "the same second again", kind: legacy, published: []*publication{published(100 * ms)},
			polls: []*pollRecord{gotLegacy(0, 1020*ms, "999", "1000"), gotLegacy(2*sec, 3500*ms, "1000", "1000")},
			want:  Verdict{Expected: 1, Invented: 1}},
		{name: "the same second again, with a further publication", kind: legacy,
			published: []*publication{published(100 * ms), published(900 * ms)},
			polls:     []*pollRecord{gotLegacy(0, 150*ms, "999", "1000"), gotLegacy(1150*ms, 3500*ms, "1000", "1000")},
			want:      Verdict{Expected: 2}},
		{name: "another second than that of the publication", kind: legacy, published: []*publication{published(900 * ms)},
			polls: []*pollRecord{gotLegacy(0, 2020*ms, "999", "1001")}, want: Verdict{Expected: 1, Invented: 1}},
		{name: "an earlier second", kind: legacy, published: []*publication{published(500 * ms), published(1500 * ms)},
			polls: []*pollRecord{gotLegacy(0, 2*sec, "999", "1001"), gotLegacy(2001*ms, 3*sec, "999", "1000")},
			want:  Verdict{Expected: 2, Disordered: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := &History{Run: settings{
				Slack: sec, Sleep: 2 * sec, Wait: 10 * sec, Age: 30 * sec, Notifies: true, End: at(60 * sec),
			}}
			h.add(&pageRecord{Page: 1, Kind: tt.kind, IDs: []string{"a"}})
			if tt.kind != legacy {
				h.add(&pollRecord{Page: 1, Sent: at(0), At: at(ms), Cursors: map[string]string{"a": "now"},
					Answer: fmt.Sprintf(`{"s":0,"at":{"a":"%s"}}`, start)})
			}
			addAll(h, tt.polls)
			addAll(h, tt.published)
			addAll(h, tt.disturbances)
			for _, counts := range []*map[string]int{
				&tt.want.Excused, &tt.want.Closed, &tt.want.Failed, &tt.want.Errors,
			} {
				if *counts == nil {
					*counts = map[string]int{}
				}
			}
			r := bothJudge(t, h)
			if !reflect.DeepEqual(r.Verdict, tt.want) {
				t.Errorf("got  %+v\nwant %+v; %q", r.Verdict, tt.want, r.Details)
			}
			bad := tt.want.Never+tt.want.Late+tt.want.Invented+tt.want.Disordered+tt.want.Torn+tt.want.Stale+tt.want.Early+
				tt.want.Overdue+tt.want.Ended > 0
			if bad = bad || len(tt.want.Errors) > 0; r.Good() == (bad || r.Expected == 0) {
				t.Errorf("good: %v", r.Good())
			}
		})
	}
}

func TestJudges_CountAPageWithoutAnyCursorAsMissed(t *testing.T) {
	h := &History{Run: settings{Slack: sec, Notifies: true, End: at(60 * sec)}}
	h.add(&pageRecord{Page: 1, Kind: precise, IDs: []string{"a"}})
	h.add(&pollRecord{Page: 1, Sent: at(0), At: at(ms), Cursors: map[string]string{"a": "now"},
		Answer: `{"s":0,"at":{"a":"now"}}`})
	if r := bothJudge(t, h); r.Never != 1 || r.Good() {
		t.Errorf("%+v", r.Verdict)
	}
}

func TestAllowed_IsLongerWithAClockAheadAndWithoutNotifications(t *testing.T) {
	h := &History{Run: settings{Sleep: toMicros(sleep), Notifies: true}}
	right, ahead := h.allowed(&pageRecord{Kind: legacy}), h.allowed(&pageRecord{Kind: legacy, Ahead: 1})
	if right != 3*sec || ahead != 4*sec {
		t.Errorf("%v and %v, want 3s and 4s", right.duration(), ahead.duration())
	}
	h.Run.Notifies = false
	if got := h.allowed(&pageRecord{Kind: precise}); got != toMicros(sleep) {
		t.Errorf("without notifications: %v, want one sleep", got.duration())
	}
}
