package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// hasty lets a window's page give up a request after a fiftieth of its patience, and leaves shorter times alone.
const hasty = `{
	const { setTimeout } = window;
	window.setTimeout = (callback, milliseconds, ...rest) => setTimeout(callback, milliseconds >= 25000 ? milliseconds / 50 : milliseconds, ...rest);
}`

// A good server can't show how patient the client is with a bad one, so a bad one is played here.
func TestTheClientIsPatientWithABadServer(t *testing.T) {
	const (
		idle    = `{"s":0,"at":{"news":"0.000000","chat":"0.000000"}}`
		broken  = "500"
		late    = "504"
		html    = "<h1>It works!</h1>"
		never   = "never" // no answer as long as the client listens
		second  = time.Second
		patient = 25 * second / 50
	)
	type pause struct{ least, most time.Duration } // of what is wanted; a loaded machine takes longer
	atOnce, early := pause{0, 0}, pause{second, 3 * second}
	after := func(attempt time.Duration) pause { return pause{attempt * 3 / 4, attempt * 5 / 4} }
	tests := []struct {
		name    string
		answers []string // one after the other
		pauses  []pause  // between the requests
	}{
		{"errors, and again later", []string{broken, late, idle, broken, idle, never}, []pause{after(second), after(2 * second), atOnce, after(second), atOnce}},
		{"answers of something else", []string{html, `{"s":0}`, "null", idle, never}, []pause{after(second), after(2 * second), after(4 * second), atOnce}},
		{"answers that come too soon", []string{idle, idle, idle, never}, []pause{atOnce, early, early}},
		{"no answers", []string{never, never, never}, []pause{{patient + second*3/4, patient + second*5/4}, {patient + 2*second*3/4, patient + 2*second*5/4}}},
	}
	browser := startBrowser(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // nearly all of it is waiting
			answers := make(chan string, len(tt.answers))
			for _, answer := range tt.answers {
				answers <- answer
			}
			close(answers)
			type request struct {
				at     time.Time
				atOnce bool
			}
			asked := make(chan request, 2*len(tt.answers))
			mux := http.NewServeMux()
			mux.Handle("/", http.FileServer(http.Dir("../browser")))
			mux.Handle("/tab.html", http.FileServer(http.Dir("testdata/pages")))
			mux.HandleFunc("/comet.php", func(w http.ResponseWriter, r *http.Request) {
				select {
				case asked <- request{time.Now(), r.URL.Query().Get("wait") == "0"}:
				default: // the test has seen enough
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
			server := httptest.NewServer(mux)
			t.Cleanup(server.Close)
			w := openWindow(t, browser, "about:blank")
			w.do(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
				_, err := cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: hasty})
				return err
			}), chromedp.Navigate(server.URL+"/tab.html?ids=news,chat&polls=1"))

			var last request
			for i := 0; i <= len(tt.pauses); i++ {
				var now request
				select {
				case now = <-asked:
				case <-time.After(patience):
					t.Fatalf("request %d does not come", i+1)
				}
				if i > 0 {
					// A tenth less, for the answer before may have been slow to leave.
					want, got := tt.pauses[i-1], now.at.Sub(last.at)
					if got < want.least*9/10 || got > want.most+5*second {
						t.Errorf("request %d came after %v, want %v to %v", i+1, got, want.least, want.most)
					}
				}
				// Only after a good answer is there a cursor to wait with.
				if good := i > 0 && tt.answers[i-1] == idle; now.atOnce == good {
					t.Errorf("request %d has wait=0: %v, want %v", i+1, now.atOnce, !good)
				}
				last = now
			}
		})
	}
}
