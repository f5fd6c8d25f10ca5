package examples_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"novcomet/examples/demo/launch"
)

// What comet.js promises to a page of one's own. Each script is a promise of a string.
func TestClient(t *testing.T) {
	site := startSite(t, launch.Nginx)
	w := openWindow(t, startBrowser(t), site.URL)
	tests := []struct{ name, script, want string }{
		{"an event subscribed to later joins the others", `new Promise((resolve) => {
			const comet = new Comet(), told = new Set();
			const tell = (id) => told.add(id).size === 2 && (comet.stop(), resolve([...told].sort().join()));
			const steps = [() => comet.subscribe("later", tell), () => ["sooner", "later"].forEach((id) => comet.publish(id))];
			comet.onstate = (state) => state === "connected" ? steps.shift()() : state === "lost" && resolve(state);
			comet.subscribe("sooner", tell);
			comet.start();
		})`, "later,sooner"},

		{"what is published while stopped is told after the next start", `new Promise((resolve) => {
			const comet = new Comet();
			comet.onstate = async (state) => {
				if (state !== "connected") return;
				comet.onstate = () => {};
				comet.stop();
				await comet.publish("meanwhile");
				comet.start();
			};
			comet.subscribe("meanwhile", (id) => (comet.stop(), resolve(id)));
			comet.start();
		})`, "meanwhile"},

		{"a callback that throws disturbs nobody", `new Promise((resolve) => {
			const comet = new Comet();
			let told = 0;
			comet.subscribe("thrown", () => { throw new Error("on purpose"); });
			comet.subscribe("thrown", () => ++told === 2 ? (comet.stop(), resolve("told twice")) : comet.publish("thrown"));
			comet.onstate = (state) => state === "connected" && comet.publish("thrown");
			comet.start();
		})`, "told twice"},

		{"two starts are one", `new Promise((resolve) => {
			const comet = new Comet();
			let told = 0;
			comet.subscribe("once", () => (told++, comet.publish("end")));
			comet.subscribe("end", () => (comet.stop(), resolve("told " + told)));
			comet.onstate = (state) => state === "connected" && comet.publish("once");
			comet.publish("once").then(() => setTimeout(() => (comet.start(), comet.start()), 100));
		})`, "told 1"},

		{"an address with a query of its own", `new Promise((resolve) => {
			const comet = new Comet("/comet.php?site=7");
			comet.subscribe("asked", (id) => (comet.stop(), resolve(id)));
			comet.onstate = (state) => state === "connected" && comet.publish("asked");
			comet.start();
		})`, "asked"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := evaluate[string](t, w, tt.script); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}

	for _, id := range []string{"a&b=c", "50% + 1; #1?", "x[y", "Grüße, 世界", `"'<b>`, "constructor", "__proto__", "7"} {
		t.Run("an event named "+id, func(t *testing.T) {
			got := evaluate[string](t, w, fmt.Sprintf(`new Promise((resolve) => {
				const comet = new Comet(), id = %q;
				comet.subscribe(id, (told, stamp) => (comet.stop(), resolve(told + " at " + stamp.toFixed(6))));
				comet.onstate = (state) => state === "connected" && comet.publish(id);
				// What makes the file may give it two stamps, and what was published a moment ago counts as new.
				comet.publish(id).then(() => setTimeout(() => comet.start(), 100));
			})`, id))
			if want := id + " at " + stampOf(t, site, id); got != want {
				t.Errorf("told %q, want %q", got, want)
			}
		})
	}

	t.Run("a refused publication says why", func(t *testing.T) {
		var refusal struct{ Error string }
		answer := within(t, patience, polling(t, site, "publish=../news"))
		if err := json.Unmarshal([]byte(answer.body), &refusal); err != nil || refusal.Error == "" {
			t.Fatalf("the endpoint does not say why: %s", answer.body)
		}
		got := evaluate[string](t, w, `new Comet().publish("../news").then(() => "published", (error) => error.message)`)
		if got != refusal.Error {
			t.Errorf("got %q, want %q", got, refusal.Error)
		}
	})
}

// hasty lets a browser window give up requests fifty times sooner than it was told.
const hasty = `{
	const timeout = AbortSignal.timeout;
	AbortSignal.timeout = (milliseconds) => timeout.call(AbortSignal, milliseconds / 50);
}`

// A good server can't show how patient the client is with a bad one, so a bad one is played here.
func TestClientIsPatientWithABadServer(t *testing.T) {
	const (
		idle   = `{"s":0,"at":{"news":"0.000000","chat":"0.000000"}}`
		broken = "broken" // HTTP 500
		never  = "never"  // no answer as long as the client listens
		second = time.Second
	)
	tests := []struct {
		name    string
		answers []string        // one after the other
		pauses  []time.Duration // between the requests; 0: at once
	}{
		{"errors, and again later", []string{broken, broken, idle, broken, idle}, []time.Duration{second, 2 * second, 0, second}},
		{"answers of something else", []string{"<h1>It works!</h1>", `{"s":0}`, idle, never}, []time.Duration{second, 2 * second, 0}},
		{"answers that come too soon", []string{idle, idle, idle, never}, []time.Duration{0, second, second}},
		{"no answers", []string{never, never, never}, []time.Duration{75*second/50 + second, 75*second/50 + 2*second}},
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
			mux.Handle("/", http.FileServer(http.Dir("browser")))
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
			}), chromedp.Navigate(server.URL))

			var last request
			for i := 0; i <= len(tt.pauses); i++ {
				var now request
				select {
				case now = <-asked:
				case <-time.After(patience):
					t.Fatalf("request %d does not come", i+1)
				}
				if i > 0 {
					want, got := tt.pauses[i-1], now.at.Sub(last.at)
					if got < want*9/10 || got > want+2*second || want == 0 && got > second*9/10 {
						t.Errorf("request %d came after %v, want %v", i+1, got, want)
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
