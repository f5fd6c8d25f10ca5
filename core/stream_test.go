package core_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

// reader is a browser that reads a stream, in a bubble.
type reader struct {
	header http.Header
	leave  context.CancelFunc

	mu    sync.Mutex
	text  strings.Builder
	times []string // what came, and when
	ended bool
	pause time.Duration // how long it takes to read anything
}

func (r *reader) Header() http.Header { return r.header }
func (r *reader) WriteHeader(int)     {}
func (r *reader) Flush()              {}

func (r *reader) Write(b []byte) (int, error) {
	time.Sleep(r.pause)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.times = append(r.times, fmt.Sprintf("%v %s", time.Since(start), strings.ReplaceAll(strings.TrimSpace(string(b)), "\n", "|")))
	return r.text.Write(b)
}

// read returns what has come since the last time, a line for each write. The first one is left out.
func (r *reader) read() (lines []string) {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.times {
		if !strings.Contains(line, "retry:") {
			lines = append(lines, line)
		}
	}
	r.times = nil
	return lines
}

// open lets a browser read a stream until it leaves.
func (g *group) open(query string, header ...string) *reader {
	ctx, cancel := context.WithCancel(g.Context())
	reader := &reader{header: http.Header{}, leave: cancel}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/?"+withTimes(query), nil)
	r.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], withTimes(header[i+1]))
	}
	g.polls.Go(func() {
		g.endpoint.ServeHTTP(reader, r)
		reader.mu.Lock()
		defer reader.mu.Unlock()
		reader.ended = true
	})
	return reader
}

// wants fails when something else has come since the last time.
func (g *group) wants(r *reader, lines ...string) {
	g.Helper()
	got := r.read()
	if len(got) != len(lines) {
		g.Fatalf("came %q, want %q", got, lines)
	}
	for i, line := range lines {
		if got[i] != withTimes(line) {
			g.Errorf("came %q, want %q", got[i], withTimes(line))
		}
	}
}

func (g *group) wantsEnded(r *reader, ended bool) {
	g.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended != ended {
		g.Errorf("ended: %v, want %v", r.ended, ended)
	}
}

func TestAStreamBeginsAtOnceAndCanBeResumedFromItsFirstBytes(t *testing.T) {
	store := newMemory()
	together(t, store, func(g *group) {
		store.set(t, "a", start.Add(-time.Hour))
		r := g.open("subscribed[a]=now&subscribed[b]=now&subscribed[c]=5.5")
		synctest.Wait()
		if begin := r.text.String(); !strings.HasPrefix(begin, "retry: ") || !strings.Contains(begin, "\n: ") {
			t.Errorf("it begins with %q", begin)
		}
		for name, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no",
			"X-Content-Type-Options": "nosniff", "Content-Length": ""} {
			if got := r.header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		g.wants(r, "0s id: {-3600.0},0.000000,5.500000")
		r.leave()
	})
}

func TestEachChangeIsAnEventWithWhatAPreciseAnswerSaysOfItAndTheLastWithTheID(t *testing.T) {
	store := &telling{memory: newMemory()}
	together(t, store, func(g *group) {
		r := g.open("subscribed[a]=now&subscribed[b+c]=now&data=1")
		g.wants(r, "0s id: 0.000000,0.000000")
		time.Sleep(time.Second)
		store.fill(t, "b c", `{"x":1}`)
		store.happens(t, "b c")
		time.Sleep(time.Second)
		g.wants(r, `1.000001s event: b c|data: {"s":1,"k":{"b c":{1.0}},"d":{"b c":{"x":1}},"at":{"b c":"{1.0}"}}|id: 0.000000,{1.0}`)
		store.set(t, "a", start.Add(1999*time.Millisecond))
		store.set(t, "b c", start.Add(1998*time.Millisecond))
		store.tell()
		time.Sleep(time.Second)
		g.wants(r, `2s event: a|data: {"s":1,"k":{"a":{1.999}},"at":{"a":"{1.999}"}}||`+
			`event: b c|data: {"s":1,"k":{"b c":{1.998}},"d":{"b c":{"x":1}},"at":{"b c":"{1.998}"}}|id: {1.999},{1.998}`)
		r.leave()
	})
}

func TestAStreamIsResumedWithoutAGap(t *testing.T) {
	for name, test := range map[string]struct {
		query, header string
		first         string
	}{
		"from the header":              {"subscribed[a]=now&subscribed[b]=now", "{-50.5},0.000000", `0s event: b|data: {"s":1,"k":{"b":{-40.0}},"at":{"b":"{-40.0}"}}|id: {-50.5},{-40.0}`},
		"from the query":               {"subscribed[a]=now&subscribed[b]=now&lastEventId={-50.5},0.0", "", `0s event: b|data: {"s":1,"k":{"b":{-40.0}},"at":{"b":"{-40.0}"}}|id: {-50.5},{-40.0}`},
		"the header is the later one":  {"subscribed[a]=now&subscribed[b]=now&lastEventId=0.0,0.0", "{-50.5},{-40.0}", `0s id: {-50.5},{-40.0}`},
		"from one of another query":    {"subscribed[a]=now&subscribed[b]=now", "{-40.0}", `0s event: a|data: {"s":1,"k":{"a":{-50.5}},"at":{"a":"{-50.5}"}}||event: b|data: {"s":1,"k":{"b":{-40.0}},"at":{"b":"{-40.0}"}}|id: {-50.5},{-40.0}`},
		"from one that is none":        {"subscribed[a]=now", "yesterday", `0s event: a|data: {"s":1,"k":{"a":{-50.5}},"at":{"a":"{-50.5}"}}|id: {-50.5}`},
		"now is no place in the past":  {"subscribed[a]=now", "now", `0s event: a|data: {"s":1,"k":{"a":{-50.5}},"at":{"a":"{-50.5}"}}|id: {-50.5}`},
		"T of whole seconds is inside": {"subscribed[a]={-50}&subscribed[b]={-39}", "", `0s id: {-50},{-39}`},
		"T of whole seconds has come":  {"subscribed[a]={-51}&subscribed[b]={-39}", "", `0s event: a|data: {"s":1,"k":{"a":{-50.5}},"at":{"a":"{-50.5}"}}|id: {-50.5},{-39}`},
	} {
		t.Run(name, func(t *testing.T) {
			store := newMemory()
			together(t, store, func(g *group) {
				store.set(t, "a", start.Add(-50500*time.Millisecond))
				store.set(t, "b", start.Add(-40*time.Second))
				var header []string
				if test.header != "" {
					header = []string{"Last-Event-ID", test.header}
				}
				r := g.open(test.query, header...)
				g.wants(r, test.first)
				r.leave()
			})
		})
	}
}

func TestAQuietStreamGetsAComment(t *testing.T) {
	store := newMemory()
	together(t, store, func(g *group) {
		g.endpoint.Settings = core.Settings{Tries: 2, Sleep: time.Second} // A poll's wait is none of a stream.
		r := g.open("subscribed[a]=now")
		time.Sleep(50 * time.Second)
		g.wants(r, "0s id: 0.000000", "20s :", "40s :")
		r.leave()
		g.polls.Wait()
		g.endpoint.Streams.Comment = 5 * time.Second
		r = g.open("subscribed[a]=now")
		time.Sleep(12 * time.Second)
		g.wants(r, "50s id: 0.000000", "55s :", "1m0s :")
		r.leave()
	})
}

func TestSettingsSetACommentAndAnEndForTheirStreams(t *testing.T) {
	store := newMemory()
	together(t, store, func(g *group) {
		g.endpoint.Streams = core.StreamLimits{Comment: time.Minute, End: time.Hour}
		g.endpoint.Settings.StreamComment, g.endpoint.Settings.StreamEnd = 10*time.Second, 25*time.Second
		r := g.open("subscribed[a]=now")
		time.Sleep(26 * time.Second)
		g.wants(r, "0s id: 0.000000", "10s :", "20s :", "25s :")
		g.wantsEnded(r, true)
	})
}

func TestAStreamEndsInAnOrderlyWay(t *testing.T) {
	store := newMemory()
	together(t, store, func(g *group) {
		r := g.open("subscribed[a]=now")
		time.Sleep(10*time.Minute - time.Second)
		g.wantsEnded(r, false)
		r.read()
		time.Sleep(2 * time.Second)
		g.wants(r, "10m0s :")
		g.wantsEnded(r, true)
	})
}

func TestDrainEndsStreamsSoonAndTellsThemOfWhatIsNew(t *testing.T) {
	store := newMemory()
	together(t, store, func(g *group) {
		r := g.open("subscribed[a]=now")
		time.Sleep(time.Second)
		store.set(t, "a", start.Add(999*time.Millisecond))
		g.endpoint.Drain()
		g.wantsEnded(r, true)
		g.wants(r, "0s id: 0.000000", `1s event: a|data: {"s":1,"k":{"a":{0.999}},"at":{"a":"{0.999}"}}|id: {0.999}`, "1s :")
		late := g.open("subscribed[a]=0.0")
		g.wants(late, `1s event: a|data: {"s":1,"k":{"a":{0.999}},"at":{"a":"{0.999}"}}|id: {0.999}`, "1s :")
		g.wantsEnded(late, true)
	})
}

func TestARetiredEndpointEndsItsStreamsWithWhatTheyAreSentNext(t *testing.T) {
	store := newMemory()
	together(t, store, func(g *group) {
		quiet, told := g.open("subscribed[a]=now"), g.open("subscribed[b]=now")
		time.Sleep(time.Second)
		g.endpoint.Retire()
		time.Sleep(5 * time.Second)
		store.set(t, "b", time.Now().Add(-time.Millisecond))
		time.Sleep(2 * time.Second)
		g.wantsEnded(told, true)
		g.wantsEnded(quiet, false)
		time.Sleep(13 * time.Second)
		g.wantsEnded(quiet, true)
		g.wants(quiet, "0s id: 0.000000", "20s :")
	})
}

// unflushed is a ResponseWriter that collects.
type unflushed struct{ *reader }

// Flush is not that of an http.Flusher.
func (u unflushed) Flush(struct{}) {}

// Nobody would see more of it: the browser comes again, and streams become polling.
func TestAStreamThatCannotBeFlushedIsToldWhatIsNewAndEnded(t *testing.T) {
	store := newMemory()
	together(t, store, func(g *group) {
		store.set(t, "a", start.Add(-time.Hour))
		r := httptest.NewRequest(http.MethodGet, "/?subscribed[a]=0.0", nil)
		r.Header.Set("Accept", "text/event-stream")
		collected := &reader{header: http.Header{}}
		g.endpoint.ServeHTTP(unflushed{collected}, r)
		if lines := collected.read(); len(lines) != 1 || !strings.HasPrefix(lines[0], "0s event: a") {
			t.Errorf("came %q", lines)
		}
	})
}

func TestWhereThereAreTooManyStreamsTheyArePollsAndNobodyIsRefused(t *testing.T) {
	for name, limit := range map[string]func(*core.Endpoint){
		"streams": func(e *core.Endpoint) { e.Streams.Max = 1 },
		"waiting": func(e *core.Endpoint) { e.MaxWaiting = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			store := newMemory()
			together(t, store, func(g *group) {
				limit(g.endpoint)
				store.set(t, "a", start.Add(-time.Hour))
				first := g.open("subscribed[a]=now")
				synctest.Wait()
				g.wantsEnded(first, false)
				second := g.open("subscribed[a]=now")
				g.wantsEnded(second, true)
				if lines := second.read(); lines[0] != withTimes("0s id: {-3600.0}") {
					t.Errorf("came %q", lines)
				}
				third := g.open("subscribed[a]=now", "Last-Event-ID", "0.0")
				g.wantsEnded(third, true)
				if lines := third.read(); !strings.HasPrefix(lines[0], "0s event: a") {
					t.Errorf("came %q", lines)
				}
				first.leave()
				g.polls.Wait()
				fourth := g.open("subscribed[a]=now")
				g.wantsEnded(fourth, false)
				fourth.leave()
			})
		})
	}
}

func TestASlowReaderIsToldOfTheLatestStateAlone(t *testing.T) {
	store := &telling{memory: newMemory()}
	together(t, store, func(g *group) {
		r := g.open("subscribed[a]=now&data=1")
		g.wants(r, "0s id: 0.000000")
		r.pause = 10 * time.Second
		for i := range 100 {
			store.fill(t, "a", fmt.Sprint(i))
			store.happens(t, "a")
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(20 * time.Second)
		lines := r.read()
		if len(lines) != 2 || !strings.Contains(lines[1], `"d":{"a":99}`) {
			t.Errorf("came %q", lines)
		}
		r.leave()
	})
}

// brokenPipe takes the first bytes, and then nothing more.
type brokenPipe struct{ reader }

func (b *brokenPipe) Write(p []byte) (int, error) {
	if b.text.Len() > 0 {
		return 0, errors.New("broken pipe")
	}
	return b.text.Write(p)
}

func TestAStreamThatNobodyReadsAnyMoreIsGone(t *testing.T) {
	store := newMemory()
	together(t, store, func(g *group) {
		g.endpoint.Streams.Max = 1
		r := httptest.NewRequest(http.MethodGet, "/?subscribed[a]=now", nil)
		r.Header.Set("Accept", "text/event-stream")
		g.endpoint.ServeHTTP(&brokenPipe{reader{header: http.Header{}}}, r)
		next := g.open("subscribed[a]=now") // The place is free again.
		g.wantsEnded(next, false)
		next.leave()
	})
}

func TestOnlyWhoAsksForAStreamGetsOne(t *testing.T) {
	endpoint := core.NewEndpoint(newMemory(), core.Settings{Tries: 1})
	for accept, want := range map[string]bool{
		"text/event-stream": true, "Text/Event-Stream": true, "application/json, text/event-stream;q=0.9": true,
		"": false, "*/*": false, "text/*": false, "text/event-streams": false, "application/json": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "/?subscribed[a]=now&wait=0", nil)
		r.Header.Set("Accept", accept)
		if opened := endpoint.Open(r); (opened.Stream != nil) != want || (opened.Poll == nil) != want {
			t.Errorf("%q: %+v; want a stream: %v", accept, opened, want)
		}
	}
	for _, request := range []struct{ method, query string }{{"GET", "publish=a"}, {"HEAD", "subscribed[a]=now"}, {"GET", "subscribed[a/b]=now"}, {"GET", ""}} {
		r := httptest.NewRequest(request.method, "/?"+request.query, nil)
		r.Header.Set("Accept", "text/event-stream")
		if opened := endpoint.Open(r); opened.Answer == nil {
			t.Errorf("%v: %+v; want an answer at once", request, opened)
		}
	}
}
