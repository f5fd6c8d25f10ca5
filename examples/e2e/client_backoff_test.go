package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// movableClock is a script with which a test sets the clocks of all pages of a site. No other time passes. So
// no page gives up a stream that sends nothing for 5 s. The pages have no channel to each other, and no timer
// that would take a changed clock for a machine that was asleep.
const movableClock = `{
	const { setTimeout } = window, { now } = Date;
	Date.now = () => now() + (Number(localStorage.ahead ?? 0) + Number(localStorage.wrong ?? 0)) * 1000;
	performance.now = () => Number(localStorage.ahead ?? 0) * 1000;
	window.setTimeout = (callback, milliseconds, ...rest) =>
		setTimeout(callback, milliseconds === 5000 ? 60000 : milliseconds, ...rest);
	window.setInterval = () => 1;
	window.BroadcastChannel = undefined;
}`

// streamServer is a server, and the pages that use it. A test answers and ends its streams and polls.
type streamServer struct {
	url      string
	requests chan *openRequest // the requests that wait
	pages    []*window
	ahead    time.Duration // of the pages' clocks
}

// openRequest is a waiting stream or poll.
type openRequest struct {
	stream bool
	answer chan string // parts of the answer; closing the channel ends it
}

func startStreamServer(t *testing.T) *streamServer {
	t.Helper()
	s := &streamServer{requests: make(chan *openRequest, 100)}
	server := fakeServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("wait") == "0" {
			fmt.Fprint(w, `{"s":0,"at":{"news":"1.000000"}}`)
			return
		}
		request := &openRequest{strings.Contains(r.Header.Get("Accept"), "event-stream"), make(chan string, 10)}
		if request.stream {
			w.Header().Set("Content-Type", "text/event-stream")
		}
		s.requests <- request
		for {
			select {
			case text, more := <-request.answer:
				if !more {
					return
				}
				fmt.Fprint(w, text)
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	})
	s.url = server.URL + "/tab.html?ids=news"
	return s
}

// usePage loads a page of the server in a window that is empty.
func (s *streamServer) usePage(t *testing.T, w *window) {
	t.Helper()
	w.runFirst(t, movableClock)
	w.navigate(t, s.url)
	s.pages = append(s.pages, w)
}

// advance sets the clocks of the pages forward.
func (s *streamServer) advance(t *testing.T, d time.Duration) {
	t.Helper()
	s.ahead += d
	evaluate[int](t, s.pages[0], fmt.Sprintf("localStorage.ahead = %d", int(s.ahead.Seconds())))
}

// restartRequests makes each page give up its request and begin another one.
func (s *streamServer) restartRequests(t *testing.T) {
	t.Helper()
	for _, w := range s.pages {
		evaluate[bool](t, w, `dispatchEvent(new Event("online"))`)
	}
}

// wantRequest waits for the next request, which must be a stream, or a poll.
func (s *streamServer) wantRequest(t *testing.T, stream bool, when string) *openRequest {
	t.Helper()
	select {
	case got := <-s.requests:
		if got.stream != stream {
			t.Fatalf("%s: the page requests a stream: %v, want %v", when, got.stream, stream)
		}
		return got
	case <-time.After(patience):
		t.Fatalf("%s: no request arrives", when)
		panic("unreachable")
	}
}

// sendEvent sends a publication with this stamp, and waits until the page has it.
func (s *streamServer) sendEvent(t *testing.T, stream *openRequest, second int) {
	t.Helper()
	stream.answer <- fmt.Sprintf("event: news\ndata: {\"k\":{\"news\":%d.000000}}\nid: %[1]d.000000\n\n", second)
	s.pages[0].waitUntil(t, fmt.Sprintf(`stamps.news === "%d.000000"`, second))
}

// After a stream that failed, the client polls. It tries the next stream after a minute, ten minutes, an
// hour, and then every hour, until a stream has worked.
func TestClient_TriesStreamAgainLaterAfterEachFailure(t *testing.T) {
	s := startStreamServer(t)
	s.usePage(t, openWindow(t, startBrowser(t), "about:blank"))
	fail := func(stream *openRequest) {
		t.Helper()
		close(stream.answer)
		s.wantRequest(t, false, "after the failure")
	}
	wantPause := func(pause time.Duration) *openRequest {
		t.Helper()
		s.advance(t, pause-30*time.Second)
		s.restartRequests(t)
		s.wantRequest(t, false, fmt.Sprint("30 s before ", pause, " have passed"))
		s.pages[0].navigate(t, s.url+"&ahead="+s.ahead.String())
		s.wantRequest(t, false, "the next page")
		s.advance(t, time.Minute)
		s.restartRequests(t)
		return s.wantRequest(t, true, fmt.Sprint("30 s after ", pause, " have passed"))
	}

	fail(s.wantRequest(t, true, "at first"))
	fail(wantPause(time.Minute))
	fail(wantPause(10 * time.Minute))
	fail(wantPause(time.Hour))
	wantPause(time.Hour)
	s.restartRequests(t) // The page gives up the stream. That is not a failure.
	stream := s.wantRequest(t, true, "after a stream that was given up")

	// A stream has not worked if only its beginning arrived.
	s.sendEvent(t, stream, 2)
	s.advance(t, 10*time.Second)
	close(stream.answer)
	stream = s.wantRequest(t, true, "after a stream that ended later")
	s.sendEvent(t, stream, 3)
	fail(stream)
	stream = wantPause(time.Hour)

	// A stream has worked if a later part arrived.
	s.sendEvent(t, stream, 4)
	s.advance(t, 10*time.Second)
	s.sendEvent(t, stream, 5)
	close(stream.answer)
	fail(s.wantRequest(t, true, "after a stream that worked"))
	fail(wantPause(time.Minute))
	wantPause(10 * time.Minute)
}

func TestClient_CountsStreamsThatFailTogetherOnce(t *testing.T) {
	s := startStreamServer(t)
	s.usePage(t, openPrivate(t, startBrowser(t), "about:blank"))
	first := s.wantRequest(t, true, "the first page")
	s.usePage(t, s.pages[0].openTab(t, "about:blank"))
	second := s.wantRequest(t, true, "the second page")
	close(first.answer)
	close(second.answer)
	for range s.pages {
		s.wantRequest(t, false, "after the failures")
	}
	s.advance(t, 90*time.Second)
	s.restartRequests(t)
	for range s.pages {
		s.wantRequest(t, true, "90 s after the failures")
	}
}

func TestClient_IgnoresFailureThatWrongClockNoted(t *testing.T) {
	s := startStreamServer(t)
	s.usePage(t, openWindow(t, startBrowser(t), "about:blank"))
	stream := s.wantRequest(t, true, "at first")
	evaluate[int](t, s.pages[0], "localStorage.wrong = 365 * 24 * 3600")
	close(stream.answer)
	s.wantRequest(t, false, "after the failure")
	evaluate[bool](t, s.pages[0], "delete localStorage.wrong")
	s.restartRequests(t)
	s.wantRequest(t, true, "after the clock was set right")
}
