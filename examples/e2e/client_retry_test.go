package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// fastTimeout is a script that divides the client's time limit for requests by 50, but not shorter times.
const fastTimeout = `{
	const { setTimeout } = window;
	window.setTimeout = (callback, milliseconds, ...rest) =>
		setTimeout(callback, milliseconds >= 25000 ? milliseconds / 50 : milliseconds, ...rest);
}`

// fakeServer starts a server with the pages of examples/browser, two of testdata/pages, and another endpoint.
// The real endpoint cannot show how the client behaves with a bad one.
func fakeServer(t *testing.T, endpoint http.HandlerFunc) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("../browser")))
	for _, page := range []string{"/tab.html", "/empty.html"} {
		mux.Handle(page, http.FileServer(http.Dir("testdata/pages")))
	}
	mux.HandleFunc("/comet.php", endpoint)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestClient_PausesBetweenRequestsToBadServer(t *testing.T) {
	const (
		unchanged = `{"s":0,"at":{"news":"0.000000","chat":"0.000000"}}`
		broken    = "500"
		late      = "504"
		html      = "<h1>It works!</h1>"
		never     = "never" // no answer until the client gives up
		second    = time.Second
		timeout   = 25 * second / 50
	)
	type pause struct{ least, most time.Duration } // A loaded machine takes longer.
	none, early := pause{0, 0}, pause{second, 3 * second}
	// about returns a pause of d, varied by a quarter as the client does.
	about := func(d time.Duration) pause { return pause{d * 3 / 4, d * 5 / 4} }
	plus := func(p pause, d time.Duration) pause { return pause{p.least + d, p.most + d} }
	tests := []struct {
		name    string
		answers []string // in their order
		pauses  []pause  // between the requests
	}{
		{
			"errors, twice",
			[]string{broken, late, unchanged, broken, unchanged, never},
			[]pause{about(second), about(2 * second), none, about(second), none},
		},
		{
			"answers of another program",
			[]string{html, `{"s":0}`, "null", unchanged, never},
			[]pause{about(second), about(2 * second), about(4 * second), none},
		},
		{
			"answers that arrive too soon",
			[]string{unchanged, unchanged, unchanged, never},
			[]pause{none, early, early},
		},
		{
			"no answers",
			[]string{never, never, never},
			[]pause{plus(about(second), timeout), plus(about(2*second), timeout)},
		},
	}
	browser := startBrowser(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			answers := make(chan string, len(tt.answers))
			for _, answer := range tt.answers {
				answers <- answer
			}
			close(answers)
			type request struct {
				at     time.Time
				noWait bool
			}
			requests := make(chan request, 2*len(tt.answers))
			server := fakeServer(t, func(w http.ResponseWriter, r *http.Request) {
				select {
				case requests <- request{time.Now(), r.URL.Query().Get("wait") == "0"}:
				default: // The test needs no more requests.
				}
				switch answer, more := <-answers; {
				case !more, answer == never:
					<-r.Context().Done()
				case answer == broken:
					http.Error(w, "broken", http.StatusInternalServerError)
				case answer == late:
					http.Error(w, "late", http.StatusGatewayTimeout)
				default:
					fmt.Fprint(w, answer)
				}
			})
			w := openWindow(t, browser, "about:blank")
			w.runFirst(t, fastTimeout)
			w.navigate(t, server.URL+"/tab.html?ids=news,chat&polls=1")

			var last request
			for i := range len(tt.pauses) + 1 {
				var now request
				select {
				case now = <-requests:
				case <-time.After(patience):
					t.Fatalf("request %d does not arrive", i+1)
				}
				if i > 0 {
					// A tenth less is right, too, because the last answer may have been slow to leave.
					want, got := tt.pauses[i-1], now.at.Sub(last.at)
					if got < want.least*9/10 || got > want.most+20*second {
						t.Errorf("request %d arrived after %v, want %v to %v", i+1, got, want.least, want.most)
					}
				}
				// The client has cursors to wait with only after a good answer.
				if good := i > 0 && tt.answers[i-1] == unchanged; now.noWait == good {
					t.Errorf("request %d has wait=0: %v, want %v", i+1, now.noWait, !good)
				}
				last = now
			}
		})
	}
}
