package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"novcomet/examples/internal/launch"
)

// foreignPage is another site: an empty page.
func foreignPage(t *testing.T) *httptest.Server {
	t.Helper()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!DOCTYPE html><title>another site</title><link rel="icon" href="data:,">`)
	}))
	t.Cleanup(page.Close)
	return page
}

// What the page of another site can make its visitor's browser send without asking first; each ends when there is an answer.
var forgeries = []struct{ name, script string }{
	{"an image", `new Promise(done => { const i = new Image(); i.onload = i.onerror = () => done(0); i.src = %q; })`},
	{"a script", `new Promise(done => { const s = document.createElement("script"); s.onload = s.onerror = () => done(0); s.src = %q; document.head.append(s); })`},
	{"a frame", `new Promise(done => { const f = document.createElement("iframe"); f.onload = () => done(0); f.src = %q; document.body.append(f); })`},
	{"a fetch", `fetch(%q, { mode: "no-cors", credentials: "include" }).then(() => 0)`},
	{"a form", `fetch(%q, { mode: "no-cors", method: "POST", body: new URLSearchParams({ x: 1 }) }).then(() => 0)`},
	{"a form of a sandboxed frame", `new Promise(done => {
		const f = document.createElement("iframe");
		f.sandbox = "allow-scripts";
		addEventListener("message", () => done(0), { once: true });
		f.srcdoc = "<script>fetch(" + JSON.stringify(%q).replaceAll("&", "&amp;") + ", { mode: 'no-cors', method: 'POST', body: 'x' }).finally(() => parent.postMessage(0, '*'))<" + "/script>";
		document.body.append(f); })`},
}

// To a browser localhost is another site than 127.0.0.1, and another port there is a sister; intranet.test has neither https
// nor that name, so that the browser does not say whose page it is (Sec-Fetch-Site).
var names = []string{"127.0.0.1", "localhost", "intranet.test"}

func at(host string, site *launch.Site) string {
	return strings.Replace(site.URL, "127.0.0.1", host, 1) + "/comet.php"
}

func TestAForeignPageInARealBrowserPublishesAndReadsNothing(t *testing.T) {
	browser := startBrowser(t)
	for _, server := range []launch.Server{launch.Nginx, launch.ApacheCGI} {
		t.Run(string(server), func(t *testing.T) {
			site := startSite(t, server)
			foreign := openWindow(t, browser, foreignPage(t).URL)
			for _, host := range names {
				t.Run(host, func(t *testing.T) {
					for i, forgery := range forgeries {
						id := fmt.Sprintf("%s-%d", host, i)
						evaluate[int](t, foreign, fmt.Sprintf(forgery.script, at(host, site)+"?publish="+id))
						if stamp := stampOf(t, site, id); stamp != "" {
							t.Errorf("%s published %s", forgery.name, id)
						}
					}
					if read := evaluate[string](t, foreign, reading(at(host, site), "subscribed[a]=now&wait=0")); read != "TypeError" {
						t.Errorf("it reads %s", read)
					}
					ownPageWorks(t, browser, site, host)
				})
			}
		})
	}
}

// Over plain http the page can keep back from a GET whose it is. That is what publish.methods is for.
func TestAForeignPageThatKeepsItsAddressBackPublishesNothingByGETWherePOSTAloneDoes(t *testing.T) {
	browser := startBrowser(t)
	site := launchSite(t, launch.Options{
		Server: launch.Nginx, Blocks: []string{"Publish only by POST"}, Settings: map[string]string{"tries": "20", "sleep": "0.1"},
	})
	foreign := openWindow(t, browser, foreignPage(t).URL)
	for i, script := range []string{
		`new Promise(done => { const i = new Image(); i.referrerPolicy = "no-referrer"; i.onload = i.onerror = () => done(0); i.src = %q; })`,
		`fetch(%q, { mode: "no-cors", referrerPolicy: "no-referrer" }).then(() => 0)`,
		`fetch(%q, { mode: "no-cors", referrerPolicy: "no-referrer", method: "POST", body: "x" }).then(() => 0)`,
	} {
		id := fmt.Sprintf("kept-back-%d", i)
		evaluate[int](t, foreign, fmt.Sprintf(script, at("intranet.test", site)+"?publish="+id))
		if stamp := stampOf(t, site, id); stamp != "" {
			t.Errorf("%s published", script)
		}
	}
	ownPageWorks(t, browser, site, "intranet.test")
}

func TestAListedSitesPageInARealBrowserPublishesAndReads(t *testing.T) {
	browser := startBrowser(t)
	for _, server := range []launch.Server{launch.Nginx, launch.ApacheCGI} {
		t.Run(string(server), func(t *testing.T) {
			page := foreignPage(t)
			site := launchSite(t, launch.Options{
				Server:   server,
				Settings: map[string]string{"tries": "20", "sleep": "0.1"},
				Blocks:   []string{"Pages of another site"},
				Replace:  map[string]string{"https://www.example.com": page.URL},
			})
			listed, stranger := openWindow(t, browser, page.URL), openWindow(t, browser, foreignPage(t).URL)
			for _, host := range names {
				t.Run(host, func(t *testing.T) {
					url, id := at(host, site), "listed-"+host
					post := fmt.Sprintf(`fetch(%q, { method: "POST", body: new URLSearchParams({ publish: %q }) }).then(r => r.text())`, url, id)
					if got := evaluate[string](t, listed, post); got != "true" || stampOf(t, site, id) == "" {
						t.Errorf("publishing: %s", got)
					}
					for query, want := range map[string]string{
						"subscribed[never]=0.000000&wait=0":           `200 {"s":0,"at":{"never":"0.000000"}}`,
						"subscribed[" + id + "]=" + "0.0" + "&wait=0": `200 {"s":1,`,
						"subscribed[a/b]=now":                         `400 {"error":`,
						"publish=.hidden":                             `400 {"error":`,
						"":                                            `400 {"error":`,
					} {
						if got := evaluate[string](t, listed, reading(url, query)); !strings.HasPrefix(got, want) {
							t.Errorf("%s: it reads %s; want %s", query, got, want)
						}
					}
					// What no form could send, the browser asks about first.
					asking := fmt.Sprintf(`fetch(%q, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" }).then(r => "" + r.status)`, url+"?publish="+id)
					if got := evaluate[string](t, listed, asking); got != "200" {
						t.Errorf("after a preflight: %s", got)
					}
					if got := evaluate[string](t, stranger, reading(url, "subscribed[never]=now&wait=0")); got != "TypeError" {
						t.Errorf("a page that is not listed reads %s", got)
					}
					withCookies := fmt.Sprintf(`fetch(%q, { credentials: "include" }).then(r => r.text(), e => e.name)`, url+"?subscribed[never]=now&wait=0")
					if got := evaluate[string](t, listed, withCookies); got != "TypeError" {
						t.Errorf("in its visitor's name it reads %s", got)
					}
				})
			}
		})
	}
}

// The browser asks first whether the page may send Last-Event-ID and Cache-Control (CORS preflight).
func TestAListedSitesPageResumesAStreamWithFetch(t *testing.T) {
	page := foreignPage(t)
	site := launchSite(t, launch.Options{
		Server:   launch.Nginx,
		Settings: map[string]string{"origins": page.URL},
	})
	touch(t, eventFile(site, "a"))
	seen := stampOf(t, site, "a")
	touch(t, eventFile(site, "b"))
	listed := openWindow(t, startBrowser(t), page.URL)
	for _, host := range names {
		script := fmt.Sprintf(`(async () => {
			const stream = await fetch(%q, { headers: { Accept: "text/event-stream", "Last-Event-ID": %q, "Cache-Control": "no-cache" } });
			let text = "";
			for await (const part of stream.body.pipeThrough(new TextDecoderStream())) {
				text += part;
				if (/^id: .*\n\n/m.test(text)) break;
			}
			return stream.status + " " + text;
		})().catch(e => e.name)`, at(host, site)+"?subscribed[a]=now&subscribed[b]=now", seen+",0.000000")
		got := evaluate[string](t, listed, script)
		if !strings.HasPrefix(got, "200 ") || !strings.Contains(got, "event: b\n") || strings.Contains(got, "event: a\n") {
			t.Errorf("%s: the page reads %q; want a stream that reports b, and not a", host, got)
		}
	}
}

// reading is a script that says what a page can read of an answer.
func reading(url, query string) string {
	return fmt.Sprintf(`fetch(%q).then(async r => r.status + " " + await r.text(), e => e.name)`, url+"?"+query)
}

// ownPageWorks checks that the site's own page still publishes and reads, by whatever name the site is called.
func ownPageWorks(t *testing.T, browser context.Context, site *launch.Site, host string) {
	t.Helper()
	own := openWindow(t, browser, strings.TrimSuffix(at(host, site), "comet.php"))
	id := "own-" + host
	script := fmt.Sprintf(`fetch("/comet.php", { method: "POST", body: new URLSearchParams({ publish: %q }) }).then(r => r.text())`, id)
	if got := evaluate[string](t, own, script); got != "true" {
		t.Errorf("its own page at %s publishes: %s", host, got)
	}
	if _, err := os.Stat(eventFile(site, id)); err != nil {
		t.Error(err)
	}
	if got := evaluate[string](t, own, reading("/comet.php", "subscribed[never]=0.0&wait=0")); !strings.HasPrefix(got, `200 {"s":0`) {
		t.Errorf("its own page at %s reads: %s", host, got)
	}
}
