package core_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
	"novcomet/core/access"
	"novcomet/core/event"
	"novcomet/core/hub"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
)

// group is several subscribers of one endpoint, in a synctest bubble.
type group struct {
	*testing.T
	endpoint *core.Endpoint
	requests sync.WaitGroup
}

// inBubble runs a test whose polls wait for 60 s. At its end, no request may wait.
func inBubble(t *testing.T, s store.Store, o core.Options, test func(g *group)) {
	synctest.Test(t, func(t *testing.T) {
		o.Location.Tries, o.Location.Sleep, o.Log = 30, 2*time.Second, cmp.Or(o.Log, coretest.Discard)
		g := &group{T: t, endpoint: core.NewEndpoint(s, o)}
		defer g.endpoint.Close()
		test(g)
		g.requests.Wait()
		if m := g.endpoint.Metrics().Snapshot(); m.Waiting != 0 || m.Streams != 0 || m.Events != 0 {
			t.Errorf("at the end: %+v", m)
		}
	})
}

// poll sends a poll at a time, and wants the answer at another one. Both are after the start.
func (g *group) poll(sent time.Duration, query, answer string, answered time.Duration) {
	g.requests.Go(func() {
		time.Sleep(time.Until(coretest.Start.Add(sent)))
		_, body := ask(g, g.endpoint, coretest.Times(query))
		if after := time.Since(coretest.Start); body != coretest.Times(answer) || after != answered {
			g.Errorf("%s sent after %v: %s after %v; want %s after %v",
				query, sent, body, after, coretest.Times(answer), answered)
		}
	})
}

// reader is a browser that reads a stream.
type reader struct {
	leave context.CancelFunc
	pause time.Duration // how long each write takes
	fails error         // of writes after the first

	header http.Header
	mu     sync.Mutex
	first  string   // what was written first
	lines  []string // the time and text of each further write
	ended  bool
}

func (r *reader) Header() http.Header { return r.header }
func (r *reader) WriteHeader(int)     {}
func (r *reader) Flush()              {}

func (r *reader) Write(b []byte) (int, error) {
	time.Sleep(r.pause)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.first == "":
		r.first = string(b)
	case r.fails != nil:
		return 0, r.fails
	default:
		text := strings.ReplaceAll(strings.TrimSpace(string(b)), "\n", "|")
		r.lines = append(r.lines, fmt.Sprintf("%v %s", time.Since(coretest.Start), text))
	}
	return len(b), nil
}

// newStream returns the request of a stream. The header is given as names and values.
func newStream(query string, header ...string) *http.Request {
	r := newRequest(http.MethodGet, coretest.Times(query), header...)
	r.Header.Set("Accept", "text/event-stream")
	return r
}

// open opens a stream. The request may have a Last-Event-ID.
func (g *group) open(query string, lastEventID ...string) *reader {
	r := newStream(query)
	for _, id := range lastEventID {
		r.Header.Set("Last-Event-ID", coretest.Times(id))
	}
	ctx, cancel := context.WithCancel(g.Context())
	reader := &reader{header: http.Header{}, leave: cancel}
	g.requests.Go(func() {
		g.endpoint.ServeHTTP(reader, r.WithContext(ctx))
		reader.mu.Lock()
		defer reader.mu.Unlock()
		reader.ended = true
	})
	synctest.Wait()
	return reader
}

// expect compares the lines that a stream was sent since the last call, and whether it has ended.
func (g *group) expect(r *reader, ended bool, lines ...string) {
	g.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	got, want := strings.Join(r.lines, "\n"), coretest.Times(strings.Join(lines, "\n"))
	if got != want || r.ended != ended {
		g.Errorf("sent, ended: %v\n%s\nwant, ended: %v\n%s", r.ended, got, ended, want)
	}
	r.lines = nil
}

const open, ended = false, true

func TestStream_GetsACommentEvery20sAndEndsAfter10Minutes(t *testing.T) {
	inBubble(t, coretest.NewMemory(), core.Options{}, func(g *group) {
		r := g.open("subscribed[a]=now")
		time.Sleep(50 * time.Second)
		g.expect(r, open, "0s id: 0.000000", "20s :", "40s :")
		var comments []string
		for at := time.Minute; at < 10*time.Minute; at += 20 * time.Second {
			comments = append(comments, at.String()+" :")
		}
		time.Sleep(549 * time.Second)
		g.expect(r, open, comments...)
		time.Sleep(2 * time.Second)
		g.expect(r, ended, "10m0s :")
	})
}

func TestStream_CommentsAndEndsAsItsLocationSays(t *testing.T) {
	location := core.Location{StreamComment: 10 * time.Second, StreamEnd: 25 * time.Second}
	inBubble(t, coretest.NewMemory(), core.Options{Location: location}, func(g *group) {
		r := g.open("subscribed[a]=now")
		time.Sleep(26 * time.Second)
		g.expect(r, ended, "0s id: 0.000000", "10s :", "20s :", "25s :")
	})
}

func TestStream_EndsWhenItsTokenHasExpired(t *testing.T) {
	location := core.Location{Access: access.Rules{Signed: newSigned("a")}}
	inBubble(t, coretest.NewMemory(), core.Options{Location: location}, func(g *group) {
		r := g.open("subscribed[a]=now&subscribed[b]=now" + signed(coretest.Start.Add(30*time.Second), "a"))
		time.Sleep(39 * time.Second)
		g.expect(r, open, "0s id: 0.000000,0.000000", "20s :")
		time.Sleep(2 * time.Second)
		g.expect(r, ended, "40s :")
	})
}

func TestStream_AboveALimitGetsOnePartAndEnds(t *testing.T) {
	for name, limits := range map[string]core.Limits{
		"open streams (max_waiting)":     {MaxStreams: 1},
		"waiting requests (max_waiting)": {Limits: hub.Limits{MaxWaiting: 1}},
		"distinct events (max_events)":   {Limits: hub.Limits{MaxEvents: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			memory := coretest.NewMemory()
			log, lines := coretest.RecordLog()
			inBubble(t, memory, core.Options{Limits: limits, Log: log}, func(g *group) {
				memory.Set("a", coretest.Start.Add(-time.Hour))
				first := g.open("subscribed[a]=now")
				g.expect(first, open, "0s id: {-3600.0}")
				end := []string{"0s id: {-3600.0}"}
				if limits.MaxStreams == 0 {
					end = append(end, "0s :")
				}
				g.expect(g.open("subscribed[a]=now"), ended, end...)
				end[0] = `0s event: a|data: {"s":1,"k":{"a":{-3600.0}},"at":{"a":"{-3600.0}"}}|id: {-3600.0}`
				g.expect(g.open("subscribed[a]=now", "0.0"), ended, end...)
				first.leave()
				g.requests.Wait()
				if l := lines(); len(l) != 1 || !strings.Contains(l[0], "the limit of "+name+" is reached") {
					t.Errorf("logged %q; want one line about %s", l, name)
				}
				next := g.open("subscribed[a]=now")
				g.expect(next, open, "0s id: {-3600.0}")
				next.leave()
			})
		})
	}
}

func TestStream_SendsASlowReaderOnlyTheLatestState(t *testing.T) {
	memory := coretest.NewMemory()
	memory.Watchable = true
	inBubble(t, memory, core.Options{}, func(g *group) {
		r := g.open("subscribed[a]=now&data=1")
		g.expect(r, open, "0s id: 0.000000")
		r.pause = 10 * time.Second
		for i := range 100 {
			memory.SetData("a", fmt.Sprint(i))
			memory.Happen("a")
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(20 * time.Second)
		g.expect(r, open, `10.000001s event: a|data: {"s":1,"k":{"a":{0.0}},"d":{"a":0},"at":{"a":"{0.0}"}}|id: {0.0}`,
			`20.000001s event: a|data: {"s":1,"k":{"a":{4.95}},"d":{"a":99},"at":{"a":"{4.95}"}}|id: {4.95}`)
		r.leave()
	})
}

func TestStream_EndsWhenItsReaderHasGone(t *testing.T) {
	inBubble(t, coretest.NewMemory(), core.Options{Limits: core.Limits{MaxStreams: 1}}, func(g *group) {
		gone := &reader{header: http.Header{}, fails: errors.New("broken pipe")}
		g.endpoint.ServeHTTP(gone, newStream("subscribed[a]=now"))
		next := g.open("subscribed[a]=now") // The place is free again.
		g.expect(next, open, "0s id: 0.000000")
		next.leave()
	})
}

// unflushed is a ResponseWriter that cannot be flushed.
type unflushed struct{ http.ResponseWriter }

// Without Flush, the client sees nothing before the end. Its browser opens it again, so it becomes polling.
func TestStream_ThatCannotBeFlushedGetsOnePartAndEnds(t *testing.T) {
	memory := coretest.NewMemory()
	inBubble(t, memory, core.Options{}, func(g *group) {
		memory.Set("a", coretest.Start.Add(-time.Hour))
		r := &reader{header: http.Header{}, ended: true}
		g.endpoint.ServeHTTP(unflushed{r}, newStream("subscribed[a]=0.0"))
		g.expect(r, ended, `0s event: a|data: {"s":1,"k":{"a":{-3600.0}},"at":{"a":"{-3600.0}"}}|id: {-3600.0}`)
	})
}

// mailbox is a receiver with room for one result.
type mailbox chan *hub.Result

func (m mailbox) Deliver(r *hub.Result) { m <- r }

func TestSubscriber_CanBeParkedAndCanceled(t *testing.T) {
	memory := coretest.NewMemory()
	memory.Watchable = true
	inBubble(t, memory, core.Options{}, func(g *group) {
		answered, canceled := make(mailbox, 1), make(mailbox, 1)
		first := g.endpoint.Open(newRequest(http.MethodGet, "subscribed[a]=now")).Subscriber
		second := g.endpoint.Open(newRequest(http.MethodGet, "subscribed[a]=now")).Subscriber
		if preamble := first.Begin(http.Header{}); preamble != nil {
			t.Errorf("a poll begins with %q", preamble)
		}
		first.Wait(answered)
		second.Wait(canceled)
		synctest.Wait()
		if !second.Cancel() || second.Cancel() {
			t.Error("a subscriber can be canceled once")
		}
		second.Close()
		time.Sleep(time.Second)
		memory.Happen("a")
		body, last := first.Part(<-answered)
		first.Close()
		want := coretest.Times(`{"s":1,"k":{"a":{1.0}},"at":{"a":"{1.0}"}}`)
		if string(body) != want || !last || first.Cancel() {
			t.Errorf("%s, last: %v; want %s", body, last, want)
		}
		time.Sleep(time.Minute)
		if len(canceled) != 0 {
			t.Error("the canceled poll was answered")
		}
		if m := g.endpoint.Metrics().Snapshot(); m.PollsChanged != 1 || m.PollsUnchanged != 0 || m.PollsAborted != 1 {
			t.Errorf("counted %+v", m)
		}
	})
}

func TestSubscriber_CountsAPollOnce(t *testing.T) {
	for contract, answered := range map[string]bool{"whose results were dropped": true, "whose client left then": false} {
		t.Run(contract, func(t *testing.T) {
			memory := coretest.NewMemory()
			memory.Set("a", coretest.Start.Add(-time.Hour))
			inBubble(t, memory, core.Options{}, func(g *group) {
				s, results := g.endpoint.Open(newRequest(http.MethodGet, "subscribed[a]=0.0")).Subscriber, make(mailbox, 1)
				s.Wait(results)
				for range 3 {
					<-results
					s.Resume()
				}
				result := <-results
				if answered {
					s.Part(result)
				} else {
					s.Cancel() // too late
				}
				s.Close()
				m := g.endpoint.Metrics().Snapshot()
				if (m.PollsChanged == 1) != answered || m.PollsChanged+m.PollsUnchanged+m.PollsAborted != 1 {
					t.Errorf("counted %+v", m)
				}
			})
		})
	}
}

// The reactor queues only large results when there is no room. A part that is larger than its size could be
// sent instead, find no room, and be lost.
func TestSubscriber_PartIsNotLongerThanTheSizeOfItsResult(t *testing.T) {
	memory := coretest.NewMemory()
	endpoint := newEndpoint(memory, formatted)
	check := func(r *http.Request) {
		t.Helper()
		s, results := endpoint.Open(r).Subscriber, make(mailbox, 1)
		s.Begin(http.Header{})
		defer s.Close()
		s.Wait(results)
		result := <-results
		if body, _ := s.Part(result); len(body) > result.Size() {
			t.Errorf("%s: %d bytes, the size is %d: %s", r.URL, len(body), result.Size(), body)
		}
	}
	for _, letter := range []string{"a", "<", `"`, "\u2028"} {
		name := strings.Repeat(letter, event.MaxID/len(letter))
		memory.Set(name, time.Unix(1<<33, 0))
		for _, data := range []string{"", "x\ny\n"} {
			memory.SetData(name, data)
			for _, cursor := range []string{"0", "0.0", "now"} {
				query := "data=1&subscribed[" + url.QueryEscape(name) + "]=" + cursor
				check(newRequest(http.MethodGet, query))
				for _, format := range []string{"", "raw", "turbo"} {
					check(newStream(query + "&format=" + format))
				}
			}
		}
	}
}

// Thousands of browsers on the same page cost one encoding.
func TestSubscriber_SharesOneEncodingOfEqualAnswers(t *testing.T) {
	memory := coretest.NewMemory()
	memory.Watchable = true
	memory.SetData("a", "1")
	inBubble(t, memory, core.Options{}, func(g *group) {
		queries := []string{
			"subscribed[a]=now&subscribed[b]=now", "subscribed[b]=now&subscribed[a]=now",
			"subscribed[a]=now&subscribed[b]=now&data=1", "subscribed[a]=now", "subscribed[a]=0&subscribed[b]=0",
		}
		var waiting []*core.Subscriber
		var results []mailbox
		for _, query := range append(queries, queries...) {
			s := g.endpoint.Open(newRequest(http.MethodGet, query)).Subscriber
			m := make(mailbox, 1)
			s.Wait(m)
			waiting, results = append(waiting, s), append(results, m)
		}
		synctest.Wait()
		memory.Happen("a")
		texts := map[string]bool{}
		for i, query := range queries {
			one, _ := waiting[i].Part(<-results[i])
			two, _ := waiting[i+len(queries)].Part(<-results[i+len(queries)])
			if string(one) != string(two) || &one[0] != &two[0] {
				t.Errorf("%s: encoded twice: %s, %s", query, one, two)
			}
			texts[string(one)] = true
		}
		if len(texts) != len(queries) {
			t.Errorf("%d queries have %d answers: %v", len(queries), len(texts), texts)
		}
	})
}

func TestSubscriber_SharesOneEncodingOfEachFormat(t *testing.T) {
	memory := coretest.NewMemory()
	memory.Watchable = true
	memory.SetData("a", "1")
	inBubble(t, memory, core.Options{Location: formatted}, func(g *group) {
		formats := []string{"", "raw", "turbo"}
		var waiting []*core.Subscriber
		var results []mailbox
		for _, format := range append(formats, formats...) {
			s, m := g.endpoint.Open(newStream("subscribed[a]=now&data=1&format="+format)).Subscriber, make(mailbox, 1)
			s.Begin(http.Header{})
			defer s.Close()
			s.Wait(m)
			s.Part(<-m)
			s.Wait(m)
			waiting, results = append(waiting, s), append(results, m)
		}
		synctest.Wait()
		memory.Happen("a")
		texts := map[string]bool{}
		for i := range formats {
			one, _ := waiting[i].Part(<-results[i])
			two, _ := waiting[i+len(formats)].Part(<-results[i+len(formats)])
			if &one[0] != &two[0] {
				t.Errorf("encoded twice: %s, %s", one, two)
			}
			texts[string(one)] = true
		}
		if len(texts) != len(formats) {
			t.Errorf("%d formats have %d encodings: %v", len(formats), len(texts), texts)
		}
	})
}
