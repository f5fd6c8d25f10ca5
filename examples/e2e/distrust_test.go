package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// alone lets a test move the clock of all pages of a site; none takes that for a machine that was asleep, nor knows of the others.
const alone = `{
	const { now } = Date;
	Date.now = () => now() + Number(localStorage.ahead ?? 0) * 1000;
	window.setInterval = () => 1;
	window.BroadcastChannel = undefined;
}`

// trials is a server that ends streams when a test wants it, and the pages that try them.
type trials struct {
	url   string
	asked chan *trial // the requests that wait
	pages []*window
	ahead time.Duration // how much the clocks of the pages are
}

// trial is a stream of a page, or a poll, to which nothing is ever said.
type trial struct {
	stream bool
	says   chan string // until it is closed
}

func startTrials(t *testing.T) *trials {
	t.Helper()
	tt := &trials{asked: make(chan *trial, 100)}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("../browser")))
	mux.Handle("/tab.html", http.FileServer(http.Dir("testdata/pages")))
	mux.HandleFunc("/comet.php", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("wait") == "0" {
			fmt.Fprint(w, `{"s":0,"at":{"news":"1.000000"}}`)
			return
		}
		now := &trial{strings.Contains(r.Header.Get("Accept"), "event-stream"), make(chan string, 10)}
		if now.stream {
			w.Header().Set("Content-Type", "text/event-stream")
		}
		tt.asked <- now
		for {
			select {
			case text, more := <-now.says:
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
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	tt.url = server.URL + "/tab.html?ids=news"
	return tt
}

func (tt *trials) open(t *testing.T, browser context.Context, options ...chromedp.ContextOption) {
	t.Helper()
	w := openWindow(t, browser, "about:blank", options...)
	w.do(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: alone})
		return err
	}), chromedp.Navigate(tt.url))
	tt.pages = append(tt.pages, w)
}

// pass moves the clocks on.
func (tt *trials) pass(t *testing.T, d time.Duration) {
	t.Helper()
	tt.ahead += d
	evaluate[int](t, tt.pages[0], fmt.Sprintf("localStorage.ahead = %d", int(tt.ahead.Seconds())))
}

// askAnew lets each page give up its request and begin another one.
func (tt *trials) askAnew(t *testing.T) {
	t.Helper()
	for _, w := range tt.pages {
		evaluate[bool](t, w, `dispatchEvent(new Event("online"))`)
	}
}

func (tt *trials) want(t *testing.T, stream bool, when string) *trial {
	t.Helper()
	select {
	case got := <-tt.asked:
		if got.stream != stream {
			t.Fatalf("%s: the page asks for a stream: %v, want %v", when, got.stream, stream)
		}
		return got
	case <-time.After(patience):
		t.Fatalf("%s: no request comes", when)
		panic("unreachable")
	}
}

// say tells the page of a publication at this second, and waits until it knows.
func (tt *trials) say(t *testing.T, stream *trial, second int) {
	t.Helper()
	stream.says <- fmt.Sprintf("event: news\ndata: {\"k\":{\"news\":%d.000000}}\nid: %[1]d.000000\n\n", second)
	tt.pages[0].waitUntil(t, fmt.Sprintf(`told.news === "%d.000000"`, second))
}

func TestAStreamIsTriedAgainAfterAMinuteThenLaterEachTimeUntilOneHasWorked(t *testing.T) {
	tt := startTrials(t)
	tt.open(t, startBrowser(t))
	fail := func(stream *trial) {
		t.Helper()
		close(stream.says)
		tt.want(t, false, "right after one that failed")
	}
	wantPause := func(pause time.Duration) *trial {
		t.Helper()
		tt.pass(t, pause-30*time.Second)
		tt.askAnew(t)
		tt.want(t, false, fmt.Sprint("half a minute less than ", pause, " after one that failed"))
		tt.pages[0].do(t, chromedp.Navigate(tt.url+"&ahead="+tt.ahead.String()))
		tt.want(t, false, "the next page")
		tt.pass(t, time.Minute)
		tt.askAnew(t)
		return tt.want(t, true, fmt.Sprint("half a minute more than ", pause, " after one that failed"))
	}

	fail(tt.want(t, true, "at first"))
	fail(wantPause(time.Minute))
	fail(wantPause(10 * time.Minute))
	fail(wantPause(time.Hour))
	wantPause(time.Hour)
	tt.askAnew(t) // That is no failure.
	stream := tt.want(t, true, "after a stream that was given up")

	// What comes at its beginning may be all that comes.
	tt.say(t, stream, 2)
	tt.pass(t, 10*time.Second)
	close(stream.says)
	stream = tt.want(t, true, "after one that ended later")
	tt.say(t, stream, 3)
	fail(stream)
	stream = wantPause(time.Hour)

	tt.say(t, stream, 4)
	tt.pass(t, 10*time.Second)
	tt.say(t, stream, 5)
	close(stream.says)
	fail(tt.want(t, true, "after one that has worked"))
	fail(wantPause(time.Minute))
	wantPause(10 * time.Minute)
}

func TestStreamsThatFailTogetherCountAsOne(t *testing.T) {
	tt := startTrials(t)
	tt.open(t, startBrowser(t), chromedp.WithNewBrowserContext())
	first := tt.want(t, true, "at first")
	tt.open(t, tt.pages[0].ctx, chromedp.WithNewWindow(false))
	second := tt.want(t, true, "at first")
	close(first.says)
	close(second.says)
	for range tt.pages {
		tt.want(t, false, "right after the streams that failed")
	}
	tt.pass(t, 90*time.Second)
	tt.askAnew(t)
	for range tt.pages {
		tt.want(t, true, "90 s after the streams that failed")
	}
}
