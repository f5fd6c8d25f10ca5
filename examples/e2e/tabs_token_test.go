package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"novcomet/examples/internal/launch"
)

// tokenScript gives the page a function that makes tokens as an application does.
const tokenScript = `
	const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
	const bytes = (text) => new TextEncoder().encode(text);
	window.made = 0; // how many tokens
	window.makeToken = async (pattern, seconds) => {
		made++;
		const algorithm = { name: "HMAC", hash: "SHA-256" }, secret = bytes("` + tokenSecret + `");
		const key = await crypto.subtle.importKey("raw", secret, algorithm, false, ["sign"]);
		const expiry = Math.floor(Date.now() / 1000) + seconds;
		return expiry + "." + hex(await crypto.subtle.sign("HMAC", key, bytes(expiry + "\n" + pattern))) + "." + pattern;
	};`

// startTokenTab opens a tab that follows private-I with a token that is valid for some seconds.
func (tt *tabs) startTokenTab(t *testing.T, i, seconds int) {
	t.Helper()
	tab := tt.first.openTab(t, tt.url+"/empty.html")
	evaluate[bool](t, tab, fmt.Sprintf(`(async () => { %s
		const { default: comet } = await import("/novcomet.mjs");
		Object.assign(window, { states: [], stamps: {}, urls: [] });
		const original = window.fetch;
		window.fetch = (url, options) => (urls.push(String(url)), original(url, options));
		comet.init("/comet.php", { token: () => makeToken("private-%[2]d", made ? 3600 : %[3]d) });
		for (const state of ["open", "error", "close"]) comet.on(state, () => states.push(state));
		for (const id of ["all", "private-%[2]d"]) {
			comet.subscribe(id, () => { stamps[id] = comet.last(id).toFixed(6); });
		}
		comet.run();
		return true;
	})()`, tokenScript, i, seconds))
	tab.waitUntil(t, `states.at(-1) === "open"`)
	tt.open = append(tt.open, tab)
}

func TestTabs_ShareOneRequestWithDifferentTokens(t *testing.T) {
	site := launchPages(t, launch.Options{
		Server: launch.Nginx, Blocks: []string{metrics},
		Settings: map[string]string{
			"subscribe.signed": "'private-*'", "subscribe.secret_file": secretFile(t, tokenSecret), "stream.comment": "2",
		},
	})
	forEachHost(t, hosts[:1], func(t *testing.T, browser browser, h host) {
		tt := newTabs(t, site, browser, h)
		tt.add(t, 1)
		for i := range 2 {
			tt.startTokenTab(t, i, 10)
		}
		for _, id := range []string{"all", "private-0", "private-1"} {
			tt.publish(t, id)
		}
		wantStamp(t, site, "all", tt.open...)
		wantStamp(t, site, "private-0", tt.open[1])
		wantStamp(t, site, "private-1", tt.open[2])

		// When the tokens have expired, each function is called once more, and no tab notices.
		for i, tab := range tt.open[1:] {
			tab.waitUntil(t, "made === 2")
			tt.publish(t, fmt.Sprintf("private-%d", i))
			wantStamp(t, site, fmt.Sprintf("private-%d", i), tab)
		}
		for _, tab := range tt.open[1:] {
			if made := evaluate[int](t, tab, "made"); made != 2 {
				t.Errorf("the function was called %d times, want 2", made)
			}
			if evaluate[bool](t, tab, `urls.some((url) => url.includes("token"))`) {
				t.Error("a token is in a URL")
			}
			const stored = `JSON.stringify(localStorage) + JSON.stringify(await navigator.locks.query())`
			if evaluate[bool](t, tab, `(async () => (`+stored+`).includes("private-"))()`) {
				t.Error("a token is stored or in a name")
			}
		}
		wantNoError(t, tt.open...)
	}, chromium, firefox)
}

// tokenServer starts a fake server that refuses the event "private" without the token "good". It counts the
// requests.
func tokenServer(t *testing.T) (url string, requests *atomic.Int32) {
	t.Helper()
	requests = new(atomic.Int32)
	server := fakeServer(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.ParseForm() != nil {
			return
		}
		if r.Form.Has("subscribed[private]") && !slices.Contains(r.Form["token"], "good") {
			http.Error(w, `{"error":"subscribing to \"private\" needs a token"}`, http.StatusForbidden)
			return
		}
		if r.Form.Get("wait") != "0" {
			waitForClientToLeave(r)
		}
		var at []string
		for _, id := range []string{"news", "private"} {
			if r.Form.Has("subscribed[" + id + "]") {
				at = append(at, fmt.Sprintf(`%q:"1.000000"`, id))
			}
		}
		fmt.Fprintf(w, `{"s":0,"at":{%s}}`, strings.Join(at, ","))
	})
	return server.URL, requests
}

// followPrivate makes the page follow the event "private" with the tokens of a function.
func followPrivate(t *testing.T, w *window, function string) {
	t.Helper()
	evaluate[bool](t, w, fmt.Sprintf(`(async () => {
		const comet = await client();
		Object.assign(window, { comet, states: [], calls: 0 });
		for (const state of ["open", "error"]) comet.on(state, () => states.push(state));
		comet.init("/comet.php", { stream: false, token: %s }).subscribe("private", () => {}).run();
		return true;
	})()`, function))
}

func TestTabs_WaitForSlowToken(t *testing.T) {
	forEachBrowser(t, func(t *testing.T, browser browser) {
		url, requests := tokenServer(t)
		leading := openPrivate(t, browser, url+"/tab.html?ids=news&polls=1")
		leading.waitUntil(t, `states.at(-1) === "open"`)
		tab := leading.openTab(t, url+"/empty.html")
		followPrivate(t, tab, `async () => calls++ ? (await sleep(3), "good") : "expired"`)
		tab.waitUntil(t, `comet.last("private") === 1`)
		if n := requests.Load(); n > 12 {
			t.Errorf("the tabs sent %d requests", n)
		}
		wantNoError(t, leading, tab)
	}, chromium, firefox)
}

func TestClient_GoesOnIfTokenDoesNotArrive(t *testing.T) {
	forEachBrowser(t, func(t *testing.T, browser browser) {
		url, _ := tokenServer(t)
		w := openPrivate(t, browser, "about:blank")
		w.runFirst(t, fastTimeout)
		w.navigate(t, url+"/empty.html")
		followPrivate(t, w, `() => calls++ ? "good" : new Promise(() => {})`)
		w.waitUntil(t, `states.at(-1) === "open"`)
	}, chromium, firefox)
}

// A lone tab waits for its token itself.
func TestClient_ReportsNoErrorAfterStop(t *testing.T) {
	forEachBrowser(t, func(t *testing.T, browser browser) {
		url, _ := tokenServer(t)
		w := openPrivate(t, browser, "about:blank")
		w.runFirst(t, `window.BroadcastChannel = undefined;`)
		w.navigate(t, url+"/empty.html")
		followPrivate(t, w, `() => calls++ ? new Promise((resolve) => { window.arrive = resolve; }) : "expired"`)
		w.waitUntil(t, "calls === 2")
		const script = `(comet.stop(), arrive("expired"), sleep(1).then(() => states.join()))`
		if states := evaluate[string](t, w, script); states != "" {
			t.Errorf("the stopped client had the states %s", states)
		}
	}, chromium, firefox)
}

func TestClient_PausesIfTokenIsNotRenewed(t *testing.T) {
	forEachBrowser(t, func(t *testing.T, browser browser) {
		for _, function := range []string{`() => "expired"`, `() => {}`, `() => { throw new Error("on purpose"); }`} {
			url, requests := tokenServer(t)
			w := openPrivate(t, browser, url+"/empty.html")
			followPrivate(t, w, function)
			w.waitUntil(t, `states.at(-1) === "error"`)
			if evaluate[bool](t, w, "sleep(3).then(() => true)"); requests.Load() > 6 {
				t.Errorf("%s: the client sent %d requests", function, requests.Load())
			}
		}
	}, chromium, firefox)
}
