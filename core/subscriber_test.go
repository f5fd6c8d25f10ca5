package core_test

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
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
