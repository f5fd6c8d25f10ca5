package core_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
	"novcomet/core/access"
	"novcomet/core/hub"
	"novcomet/core/internal/coretest"
)

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
