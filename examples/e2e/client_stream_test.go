package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"novcomet/examples/internal/launch"
)

// countRequests returns how many requests the tabs have sent for which the JavaScript condition holds.
func countRequests(t *testing.T, tabs []*window, condition string) int {
	t.Helper()
	n := 0
	for _, tab := range tabs {
		n += evaluate[int](t, tab, "requests.filter(({ stream }) => "+condition+").length")
	}
	return n
}

func TestClient_SharesOneStreamBetweenTabs(t *testing.T) {
	browser := startBrowser(t)
	for _, server := range []launch.Server{launch.Nginx, launch.ApacheProxy, launch.ApacheCGI} {
		t.Run(string(server), func(t *testing.T) {
			t.Parallel()
			site := launchPages(t, launch.Options{Server: server})
			tt := startDataTabs(t, site, browser, hosts[0])
			tt.wantOneStream(t)
			before := countRequests(t, tt.open, "true")
			for i := 1; i <= 5; i++ {
				write(t, site, "all", fmt.Sprintf(`{"n":%d}`, i))
				wantData(t, "all", fmt.Sprintf("{n: %d}", i), tt.open[1:]...)
				wantStamp(t, site, "all", tt.open...)
			}
			tt.wantOneStream(t)
			if after := countRequests(t, tt.open, "true"); after != before {
				t.Errorf("five events took %d requests, want none", after-before)
			}
			// When the leading tab is closed, another one opens a stream.
			tt.removeLeader(t).close(t)
			write(t, site, "all", `"handed over"`)
			wantStamp(t, site, "all", tt.open[0])
			wantData(t, "all", `"handed over"`, tt.open[1])
			tt.wantOneStream(t)
		})
	}
}

// wantOneStream waits until the tabs together have one open request, and it is a stream.
func (tt *tabs) wantOneStream(t *testing.T) {
	t.Helper()
	eventually(t, func() error {
		requests, streams := 0, 0
		for _, tab := range tt.open {
			requests += evaluate[int](t, tab, "inFlight")
			streams += evaluate[int](t, tab, "requests.at(-1)?.stream ? inFlight : 0")
		}
		if requests != 1 || streams != 1 {
			return fmt.Errorf("%d requests are open, %d of them streams; want one stream", requests, streams)
		}
		return nil
	})
}

func TestClient_PollsIfServerBuffersStream(t *testing.T) {
	const timeout = "fastcgi_read_timeout 75s;"
	browser := startBrowser(t)
	site := launchPages(t, launch.Options{
		Server: launch.Nginx, Blocks: []string{metrics},
		Extra: "gzip on; gzip_types text/event-stream;",
		Replace: map[string]string{
			timeout: timeout + " fastcgi_ignore_headers X-Accel-Buffering; fastcgi_buffering on;",
		},
	})
	tt := startDataTabs(t, site, browser, hosts[0])
	// The client tries a stream for some seconds. Then it polls, and delivers what was published meanwhile.
	for i := 1; i <= 3; i++ {
		write(t, site, "all", fmt.Sprintf(`{"n":%d}`, i))
		wantData(t, "all", fmt.Sprintf("{n: %d}", i), tt.open[1:]...)
	}
	tt.wantOneRequest(t)
	streams := countRequests(t, tt.open, "stream")
	if streams == 0 {
		t.Error("the client did not try a stream")
	}
	if evaluate[bool](t, tt.open[1], `states.includes("error")`) {
		t.Error("the client reported an error")
	}
	// The next page and the next leader know that streams do not work.
	tt.add(t, 1)
	closed := tt.removeLeader(t)
	streams = countRequests(t, tt.open, "stream")
	closed.close(t)
	write(t, site, "all", `"known"`)
	wantData(t, "all", `"known"`, tt.open[len(tt.open)-2:]...)
	tt.wantOneRequest(t)
	if again := countRequests(t, tt.open, "stream"); again != streams {
		t.Errorf("the client tried %d more streams", again-streams)
	}
}

// shortSilence is a script that makes the client treat a stream as silent after 15 s instead of 45 s.
const shortSilence = `{
	const { setTimeout } = window;
	window.setTimeout = (callback, milliseconds, ...rest) =>
		setTimeout(callback, milliseconds === 45000 ? 15000 : milliseconds, ...rest);
}`

func sendPart(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, text)
	w.(http.Flusher).Flush()
}

func waitForClientToLeave(r *http.Request) { <-r.Context().Done() }

func TestClient_ReplacesFailedStream(t *testing.T) {
	const (
		start     = ": x\n\nid: 1.000000\n\n"
		unchanged = `{"s":0,"at":{"news":"1.000000"}}`
		news      = `{"s":1,"k":{"news":2.000000},"at":{"news":"2.000000"}}`
		event     = "event: news\ndata: " + news + "\nid: 2.000000\n\n"
	)
	tests := []struct {
		name   string
		stream http.HandlerFunc // the first stream
		polls  bool             // the client polls afterwards
	}{
		{"no answer", func(_ http.ResponseWriter, r *http.Request) { waitForClientToLeave(r) }, true},
		{"only a header", func(w http.ResponseWriter, r *http.Request) {
			sendPart(w, "")
			waitForClientToLeave(r)
		}, true},
		{"silence after the start", func(w http.ResponseWriter, r *http.Request) {
			sendPart(w, start)
			waitForClientToLeave(r)
		}, true},
		{"an end after the start", func(w http.ResponseWriter, _ *http.Request) { sendPart(w, start) }, true},
		{"the answer to a poll", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, unchanged) }, true},
		{"a refusal", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no", http.StatusNotAcceptable)
		}, true},
		{"a cut after some time", func(w http.ResponseWriter, _ *http.Request) {
			sendPart(w, start)
			comments := time.NewTicker(time.Second)
			defer comments.Stop()
			for range 20 { // longer than shortSilence
				<-comments.C
				sendPart(w, ":\n\n")
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
			requests := make(chan request, 100)
			streams := 0
			server := fakeServer(t, func(w http.ResponseWriter, r *http.Request) {
				now := request{strings.Contains(r.Header.Get("Accept"), "event-stream"), r.URL.Query().Get("wait")}
				requests <- now
				switch {
				case now.stream && streams == 0:
					streams++
					tt.stream(w, r)
				case now.stream:
					sendPart(w, event[:10])
					sendPart(w, event[10:])
					waitForClientToLeave(r)
				case now.wait == "0":
					fmt.Fprint(w, unchanged)
				case r.URL.Query().Get("subscribed[news]") == "1.000000":
					fmt.Fprint(w, news)
				default:
					waitForClientToLeave(r)
				}
			})
			w := openPrivate(t, browser, "about:blank") // No other window hides it.
			w.runFirst(t, shortSilence)
			w.navigate(t, server.URL+"/tab.html?ids=news")
			want := []request{{false, "0"}, {true, ""}, {false, "0"}}
			if tt.polls {
				want = append(want, request{false, "50"}, request{false, "50"})
			} else {
				want = append(want, request{true, ""})
			}
			next := func() request {
				select {
				case r := <-requests:
					return r
				case <-time.After(patience):
					t.Fatal("no request arrives")
					panic("unreachable")
				}
			}
			for i, want := range want {
				if got := next(); got != want {
					t.Fatalf("request %d is %+v, want %+v", i+1, got, want)
				}
			}
			w.waitUntil(t, `stamps.news === "2.000000"`)
			if states := evaluate[string](t, w, "states.join()"); states != "open" {
				t.Errorf("the page had the states %s, want open", states)
			}
			w.navigate(t, server.URL+"/tab.html?ids=news&again")
			if got := next(); got != (request{false, "0"}) {
				t.Errorf("the next page begins with %+v", got)
			}
			if got := next(); got.stream == tt.polls {
				t.Errorf("the second request of the next page is %+v", got)
			}
		})
	}
}

func TestClient_IgnoresRestOfStreamAfterStopOrInit(t *testing.T) {
	event := func(stamp int) string {
		const data = `{"s":1,"k":{"news":%[1]d.000000},"at":{"news":"%[1]d.000000"}}`
		return fmt.Sprintf("event: news\ndata: "+data+"\nid: %[1]d.000000\n\n", stamp)
	}
	server := fakeServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Query().Has("other"):
			waitForClientToLeave(r)
		case strings.Contains(r.Header.Get("Accept"), "event-stream"):
			sendPart(w, "id: 1.000000\n\n"+event(2)+event(3))
			waitForClientToLeave(r)
		default:
			fmt.Fprint(w, `{"s":0,"at":{"news":"1.000000"}}`)
		}
	})
	forEachBrowser(t, func(t *testing.T, browser browser) {
		w := openWindow(t, browser, server.URL+"/empty.html")
		for call, want := range map[string]string{
			"stop()":                     "open,close,false,2",
			`init("/comet.php?other=1")`: "open,false,",
		} {
			got := evaluate[string](t, w, `new Promise(async (resolve) => {
				const comet = await client(), states = [];
				for (const state of ["open", "close"]) comet.on(state, () => states.push(state));
				comet.subscribe("news", async () => {
					comet.`+call+`;
					await sleep(0); // The client has read the rest.
					resolve([...states, comet.connected, comet.last("news")].join());
					comet.stop();
				}).run();
			})`)
			if got != want {
				t.Errorf("after %s in a callback: got %s, want %s", call, got, want)
			}
		}
	}, chromium, firefox)
}
