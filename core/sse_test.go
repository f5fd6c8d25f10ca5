package core_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/internal/coretest"
)

func TestEndpoint_OpensAStreamForEventSource(t *testing.T) {
	endpoint := newEndpoint(coretest.NewMemory(), core.Location{Tries: 1})
	for accept, want := range map[string]bool{
		"text/event-stream": true, "Text/Event-Stream": true, "application/json, text/event-stream;q=0.9": true,
		"": false, "*/*": false, "text/*": false, "text/event-streams": false, "application/json": false,
	} {
		r := newRequest(http.MethodGet, "subscribed[a]=now", "Accept", accept)
		if got := endpoint.Open(r).Subscriber.IsStream(); got != want {
			t.Errorf("%q: a stream: %v; want %v", accept, got, want)
		}
	}
}

func TestStream_StartsAtOnceWithAnIDToResumeFrom(t *testing.T) {
	memory := coretest.NewMemory()
	inBubble(t, memory, core.Options{}, func(g *group) {
		memory.Set("a", coretest.Start.Add(-time.Hour))
		r := g.open("subscribed[a]=now&subscribed[b]=now&subscribed[c]=5.5")
		retry, rest, _ := strings.Cut(r.first, "\n")
		n, ok := strings.CutPrefix(retry, "retry: ")
		if !ok || len(n) != 4 || n < "1000" || n >= "3000" || rest != ": NovComet\n\n" {
			t.Errorf("the first bytes are %q", r.first)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/event-stream", "Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no",
			"X-Content-Type-Options": "nosniff", "Content-Length": "",
		} {
			if got := r.header.Get(name); got != want {
				t.Errorf("%s: %q; want %q", name, got, want)
			}
		}
		g.expect(r, open, "0s id: {-3600.0},0.000000,5.500000")
		r.leave()
	})
}

func TestStream_SendsEachChangeAsAPreciseAnswerAndTheLastWithAnID(t *testing.T) {
	memory := coretest.NewMemory()
	memory.Watchable = true
	inBubble(t, memory, core.Options{}, func(g *group) {
		r := g.open("subscribed[a]=now&subscribed[b+c]=now&data=1")
		g.expect(r, open, "0s id: 0.000000,0.000000")
		time.Sleep(time.Second)
		memory.SetData("b c", `{"x":1}`)
		memory.Happen("b c")
		time.Sleep(time.Second)
		g.expect(r, open, `1.000001s event: b c|`+
			`data: {"s":1,"k":{"b c":{1.0}},"d":{"b c":{"x":1}},"at":{"b c":"{1.0}"}}|id: 0.000000,{1.0}`)
		memory.Set("a", coretest.Start.Add(1999*time.Millisecond))
		memory.Set("b c", coretest.Start.Add(1998*time.Millisecond))
		memory.Notify()
		g.expect(r, open, `2s event: a|data: {"s":1,"k":{"a":{1.999}},"at":{"a":"{1.999}"}}||`+
			`event: b c|data: {"s":1,"k":{"b c":{1.998}},"d":{"b c":{"x":1}},"at":{"b c":"{1.998}"}}|id: {1.999},{1.998}`)
		r.leave()
	})
}

// A duplicate is better than a loss: an id that does not belong to the query counts as if nothing was seen.
func TestStream_ResumesWithoutAGap(t *testing.T) {
	const both = "subscribed[a]=now&subscribed[b]=now"
	const partA = `event: a|data: {"s":1,"k":{"a":{-50.5}},"at":{"a":"{-50.5}"}}|`
	const partB = `event: b|data: {"s":1,"k":{"b":{-40.0}},"at":{"b":"{-40.0}"}}|`
	for _, test := range []struct{ name, query, lastEventID, first string }{
		{"from the header", both, "{-50.5},0.000000", partB + "id: {-50.5},{-40.0}"},
		{"from the query", both + "&lastEventId={-50.5},0.0", "", partB + "id: {-50.5},{-40.0}"},
		{"from the header rather than the query", both + "&lastEventId=0.0,0.0", "{-50.5},{-40.0}", "id: {-50.5},{-40.0}"},
		{"an id of another query", both, "{-40.0}", partA + "|" + partB + "id: {-50.5},{-40.0}"},
		{"an invalid id", "subscribed[a]=now", "yesterday", partA + "id: {-50.5}"},
		{"now", "subscribed[a]=now", "now", partA + "id: {-50.5}"},
		{"whole seconds that are seen", "subscribed[a]={-50}&subscribed[b]={-39}", "", "id: {-50},{-39}"},
		{"whole seconds that are not seen", "subscribed[a]={-51}&subscribed[b]={-39}", "", partA + "id: {-50.5},{-39}"},
		{"an id with whole seconds", both, "{-51},{-39}", partA + "id: {-50.5},{-39}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			memory := coretest.NewMemory()
			inBubble(t, memory, core.Options{}, func(g *group) {
				memory.Set("a", coretest.Start.Add(-50500*time.Millisecond))
				memory.Set("b", coretest.Start.Add(-40*time.Second))
				r := g.open(test.query, test.lastEventID)
				g.expect(r, open, "0s "+test.first)
				r.leave()
			})
		})
	}
}
