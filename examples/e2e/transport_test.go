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

	"novcomet/examples/internal/launch"
)

// counted is how many requests of a kind tabs have made.
func counted(t *testing.T, tabs []*window, kind string) int {
	t.Helper()
	n := 0
	for _, tab := range tabs {
		n += evaluate[int](t, tab, "requests.filter(({ stream }) => "+kind+").length")
	}
	return n
}

func TestTabsShareOneStreamWhereItWorksAndPollNoMore(t *testing.T) {
	browser := startBrowser(t)
	for _, server := range []launch.Server{launch.Nginx, launch.ApacheProxy, launch.ApacheCGI} {
		t.Run(string(server), func(t *testing.T) {
			t.Parallel()
			site := launchPages(t, launch.Options{Server: server})
			tt := startDataTabs(t, site, browser, hosts[0])
			tt.wantOneStream(t)
			before := counted(t, tt.open, "true")
			for i := 1; i <= 5; i++ {
				write(t, site, "all", fmt.Sprintf(`{"n":%d}`, i))
				wantData(t, "all", fmt.Sprintf("{n: %d}", i), tt.open[1:]...)
				wantTold(t, site, "all", tt.open...)
			}
			tt.wantOneStream(t)
			if after := counted(t, tt.open, "true"); after != before {
				t.Errorf("five events took %d requests", after-before)
			}
			// The tab that asks is closed, and another one opens a stream.
			if err := chromedp.Cancel(tt.leader(t).ctx); err != nil {
				t.Fatal(err)
			}
			write(t, site, "all", `"handed over"`)
			wantTold(t, site, "all", tt.open[0])
			wantData(t, "all", `"handed over"`, tt.open[1])
			tt.wantOneStream(t)
		})
	}
}

// wantOneStream waits until a single request of all tabs is under way, and that is a stream.
func (tt *tabs) wantOneStream(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for again := time.Tick(20 * time.Millisecond); ; <-again {
		inFlight, streams := 0, 0
		for _, tab := range tt.open {
			n := evaluate[int](t, tab, "inFlight")
			inFlight += n
			streams += evaluate[int](t, tab, "requests.at(-1)?.stream ? inFlight : 0")
		}
		if inFlight == 1 && streams == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d requests are under way, %d of them streams; want one stream", inFlight, streams)
		}
	}
}

// A web server that collects what a stream says, whatever the header says.
func TestTabsPollWhereAStreamIsCollected(t *testing.T) {
	browser := startBrowser(t)
	const line = "fastcgi_read_timeout 75s;"
	site := launchPages(t, launch.Options{
		Server: launch.Nginx,
		Extra:  "gzip on; gzip_types text/event-stream;",
		Replace: map[string]string{
			line: line + " fastcgi_ignore_headers X-Accel-Buffering; fastcgi_buffering on;",
		},
	})
	tt := startDataTabs(t, site, browser, hosts[0])
	// What happens while the stream is on trial is told afterwards, and then everything at once.
	for i := 1; i <= 3; i++ {
		write(t, site, "all", fmt.Sprintf(`{"n":%d}`, i))
		wantData(t, "all", fmt.Sprintf("{n: %d}", i), tt.open[1:]...)
	}
	tt.wantOneRequest(t)
	streams := counted(t, tt.open, "stream")
	if streams == 0 {
		t.Error("no stream was tried")
	}
	if lost := evaluate[bool](t, tt.open[1], `states.includes("error")`); lost {
		t.Error("that looks like an error")
	}
	// It is remembered, also by the next page and by the next tab that asks.
	tt.add(t, 1)
	closed := tt.leader(t)
	streams = counted(t, tt.open, "stream")
	if err := chromedp.Cancel(closed.ctx); err != nil {
		t.Fatal(err)
	}
	write(t, site, "all", `"remembered"`)
	wantData(t, "all", `"remembered"`, tt.open[len(tt.open)-2:]...)
	tt.wantOneRequest(t)
	if again := counted(t, tt.open, "stream"); again != streams {
		t.Errorf("a stream is tried again, by %d tabs", again-streams)
	}
}

// soonSilent makes a window's page take a stream for silent after 6 s.
const soonSilent = `{
	const { setTimeout } = window;
	window.setTimeout = (callback, milliseconds, ...rest) => setTimeout(callback, milliseconds === 45000 ? 6000 : milliseconds, ...rest);
}`

// A good server can't show how a stream fails, so a bad one is played here.
func TestAStreamThatFailsIsReplaced(t *testing.T) {
	const (
		idle  = `{"s":0,"at":{"news":"1.000000"}}`
		news  = `{"s":1,"k":{"news":2.000000},"at":{"news":"2.000000"}}`
		event = "event: news\ndata: " + news + "\nid: 2.000000\n\n"
	)
	hang := func(r *http.Request) { <-r.Context().Done() }
	say := func(w http.ResponseWriter, text string) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, text)
		w.(http.Flusher).Flush()
	}
	tests := []struct {
		name   string
		stream func(w http.ResponseWriter, r *http.Request)
		polls  bool // from then on
	}{
		{"it says nothing", func(_ http.ResponseWriter, r *http.Request) { hang(r) }, true},
		{"it says nothing but its header", func(w http.ResponseWriter, r *http.Request) { say(w, ""); hang(r) }, true},
		{"it falls silent", func(w http.ResponseWriter, r *http.Request) { say(w, ": x\n\nid: 1.000000\n\n"); hang(r) }, true},
		{"it ends at once", func(w http.ResponseWriter, r *http.Request) { say(w, ": x\n\nid: 1.000000\n\n") }, true},
		{"it is a poll", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, idle) }, true},
		{"it is refused", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusNotAcceptable) }, true},
		{"it is cut off, but not at once", func(w http.ResponseWriter, r *http.Request) {
			say(w, ": x\n\nid: 1.000000\n\n")
			comments := time.NewTicker(time.Second)
			defer comments.Stop()
			for start := time.Now(); time.Since(start) < 8*time.Second; <-comments.C { // longer than it may be silent
				say(w, ":\n\n")
			}
			panic(http.ErrAbortHandler)
		}, false},
	}
	browser := startBrowser(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			type request struct {
				stream bool
				wait   string
			}
			asked := make(chan request, 100)
			streams := 0
			mux := http.NewServeMux()
			mux.Handle("/", http.FileServer(http.Dir("../browser")))
			mux.Handle("/tab.html", http.FileServer(http.Dir("testdata/pages")))
			mux.HandleFunc("/comet.php", func(w http.ResponseWriter, r *http.Request) {
				now := request{strings.Contains(r.Header.Get("Accept"), "event-stream"), r.URL.Query().Get("wait")}
				asked <- now
				cursor := r.URL.Query().Get("subscribed[news]")
				switch {
				case now.stream:
					if streams++; streams == 1 {
						tt.stream(w, r)
						return
					}
					say(w, event[:10]) // in two parts
					say(w, event[10:])
					hang(r)
				case now.wait == "0":
					fmt.Fprint(w, idle)
				case cursor == "1.000000":
					fmt.Fprint(w, news)
				default:
					hang(r)
				}
			})
			server := httptest.NewServer(mux)
			t.Cleanup(server.Close)
			w := openWindow(t, browser, "about:blank", chromedp.WithNewBrowserContext()) // so that no other window hides it
			w.do(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
				_, err := cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: soonSilent})
				return err
			}), chromedp.Navigate(server.URL+"/tab.html?ids=news"))
			want := []request{{false, "0"}, {true, ""}, {false, "0"}}
			if tt.polls {
				want = append(want, request{false, "50"}, request{false, "50"})
			} else {
				want = append(want, request{true, ""})
			}
			next := func() request {
				select {
				case r := <-asked:
					return r
				case <-time.After(patience):
					t.Fatal("no request comes")
					panic("unreachable")
				}
			}
			for i, want := range want {
				if got := next(); got != want {
					t.Fatalf("request %d is %+v, want %+v", i+1, got, want)
				}
			}
			w.waitUntil(t, `told.news === "2.000000"`)
			if states := evaluate[string](t, w, "states.join()"); states != "open" {
				t.Errorf("the page saw %s", states)
			}
			w.do(t, chromedp.Navigate(server.URL+"/tab.html?ids=news&again"))
			if got := next(); got != (request{false, "0"}) {
				t.Errorf("the next page begins with %+v", got)
			}
			if got := next(); got.stream == tt.polls {
				t.Errorf("the next page goes on with %+v", got)
			}
		})
	}
}
