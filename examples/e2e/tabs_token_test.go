package e2e_test

import (
	"fmt"
	"testing"

	"novcomet/examples/internal/launch"
)

const tokenSecret = "0123456789abcdef0123456789abcdef"

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
