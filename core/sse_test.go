package core_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/access"
	"novcomet/core/event"
	"novcomet/core/internal/coretest"
)

// formatted is a location whose streams may have each format.
var formatted = core.Location{
	Access: access.Rules{Publish: patterns(), Formats: []access.Format{access.Raw, access.Turbo}},
}

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

func TestStream_SendsDataInItsFormat(t *testing.T) {
	for _, test := range []struct{ format, html, json, none string }{
		{"raw", "event: a|data: <p>|data: x</p>", `event: a|data: {"x": 1}`, "event: a|data: "},
		{"turbo", `data: <turbo-stream action="replace" target="a"><template><p>|data: x</p></template></turbo-stream>`,
			`data: <turbo-stream action="replace" target="a"><template>{"x": 1}</template></turbo-stream>`,
			`data: <turbo-stream action="refresh"></turbo-stream>`},
	} {
		t.Run(test.format, func(t *testing.T) {
			memory := coretest.NewMemory()
			memory.Watchable = true
			inBubble(t, memory, core.Options{Location: formatted}, func(g *group) {
				r := g.open("subscribed[a]=now&subscribed[b]=now&format=" + test.format)
				g.expect(r, open, "0s id: 0.000000,0.000000")
				for second, data := range []string{"<p>\r\nx</p>\n", `{"x": 1}`, ""} {
					time.Sleep(time.Until(coretest.Start.Add(time.Duration(second+1) * time.Second)))
					memory.SetData("a", data)
					memory.Happen("a")
				}
				time.Sleep(time.Second)
				g.expect(r, open, "1.000001s "+test.html+"|id: {1.0},0.000000", "2.000001s "+test.json+"|id: {2.0},0.000000",
					"3.000001s "+test.none+"|id: {3.0},0.000000")
				r.leave()
			})
		})
	}
}

// All events of a part come before the only id, so a client that loses the connection gets them again.
func TestStream_ResumesWithoutAGapInEachFormat(t *testing.T) {
	for format, part := range map[string]string{
		"raw": "event: a|data: x||event: b|data: y|",
		"turbo": `data: <turbo-stream action="replace" target="a"><template>x</template></turbo-stream>||` +
			`data: <turbo-stream action="replace" target="b"><template>y</template></turbo-stream>|`,
	} {
		memory := coretest.NewMemory()
		inBubble(t, memory, core.Options{Location: formatted}, func(g *group) {
			for name, data := range map[string]string{"a": "x", "b": "y"} {
				memory.Set(name, coretest.Start.Add(-50*time.Second))
				memory.SetData(name, data)
			}
			query := "subscribed[a]=now&subscribed[b]=now&format=" + format
			for id, want := range map[string]string{
				"0.0,0.0": part, "{-50.0},{-50.0}": "", "{-50.0},0.0": part[strings.Index(part, "||")+2:],
			} {
				r := g.open(query, id)
				g.expect(r, open, "0s "+want+"id: {-50.0},{-50.0}")
				r.leave()
			}
		})
	}
}

// dispatched is an event as EventSource dispatches it.
type dispatched struct{ name, data, lastEventID string }

// parseStream reads a stream as the HTML standard says, except for retry.
func parseStream(text string) (events []dispatched) {
	var e dispatched
	var data []string
	for _, line := range strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n") {
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "":
			if line == "" && data != nil {
				e.data = strings.Join(data, "\n")
				events = append(events, e)
				data, e.name = nil, ""
			}
		case "event":
			e.name = value
		case "data":
			data = append(data, value)
		case "id":
			e.lastEventID = value
		}
	}
	return events
}

// Neither an id nor data adds a field or an event to a stream, and no id leaves the attribute of a Turbo
// Stream.
func FuzzStream(f *testing.F) {
	for _, seed := range []string{
		"<p>x</p>", "a\nid: 5\n\nevent: b", "a\r\rdata: b\r\n", " :", "{\n}", "</template></turbo-stream>", "\ufeff", "\n",
	} {
		f.Add("news", seed)
	}
	for _, id := range []string{`"><script>`, "&quot;", "a: b", " a ", "\u2028", "'&#34;", ":", "a+b=c&d"} {
		f.Add(id, "x")
	}
	f.Fuzz(func(t *testing.T, name, data string) {
		if _, err := event.ParseID(name); err != nil || strings.Contains(name, "]") {
			return
		}
		memory := coretest.NewMemory()
		memory.Set(name, time.Unix(5, 0))
		memory.SetData(name, data)
		encoded, err := event.EncodeData([]byte(data))
		want := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimSuffix(data, "\n"))
		if err != nil || encoded == nil {
			want = ""
		}
		for _, format := range []string{"raw", "turbo"} {
			w := httptest.NewRecorder()
			r := newStream("format=" + format + "&subscribed[" + url.QueryEscape(name) + "]=0.0")
			newEndpoint(memory, formatted).ServeHTTP(unflushed{w}, r) // It ends after one part.
			events := parseStream(w.Body.String())
			expected := dispatched{name, want, "5.000000"}
			if format == "turbo" {
				expected.name = ""
				expected.data = `<turbo-stream action="refresh"></turbo-stream>`
				if want != "" {
					_, rest, _ := strings.Cut(events[0].data, `target="`)
					target, _, _ := strings.Cut(rest, `"`)
					if html.UnescapeString(target) != name || strings.ContainsAny(target, "<>") {
						t.Errorf("%q: the target is %q", name, target)
					}
					expected.data = `<turbo-stream action="replace" target="` + target + `"><template>` + want +
						"</template></turbo-stream>"
				}
			}
			if !slices.Equal(events, []dispatched{expected}) {
				t.Errorf("%q with %q: %q; want %q", name, data, events, expected)
			}
		}
	})
}
