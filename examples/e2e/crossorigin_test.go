package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"novcomet/examples/internal/launch"
)

// startForeignPage starts another site with an empty page.
func startForeignPage(t *testing.T) *httptest.Server {
	t.Helper()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!DOCTYPE html><title>another site</title><link rel="icon" href="data:,">`)
	}))
	t.Cleanup(page.Close)
	return page
}

// forgeries are requests that a page of another site can make the browser send without a preflight. Each
// script ends when the answer has arrived.
var forgeries = []struct{ name, script string }{
	{"an image", `new Promise(done => {
		const i = new Image();
		i.onload = i.onerror = () => done(0);
		i.src = %q;
	})`},
	{"a script", `new Promise(done => {
		const s = document.createElement("script");
		s.onload = s.onerror = () => done(0);
		s.src = %q;
		document.head.append(s);
	})`},
	{"a frame", `new Promise(done => {
		const f = document.createElement("iframe");
		f.onload = () => done(0);
		f.src = %q;
		document.body.append(f);
	})`},
	{"a fetch", `fetch(%q, { mode: "no-cors", credentials: "include" }).then(() => 0)`},
	{"a form", `fetch(%q, { mode: "no-cors", method: "POST", body: new URLSearchParams({ x: 1 }) }).then(() => 0)`},
	{"a form of a sandboxed frame", `new Promise(done => {
		const f = document.createElement("iframe");
		f.sandbox = "allow-scripts";
		addEventListener("message", () => done(0), { once: true });
		const url = JSON.stringify(%q).replaceAll("&", "&amp;");
		f.srcdoc = "<script>fetch(" + url + ", { mode: 'no-cors', method: 'POST', body: 'x' })" +
			".finally(() => parent.postMessage(0, '*'))<" + "/script>";
		document.body.append(f);
	})`},
}

// siteNames are names of NovComet's site. The foreign page is at 127.0.0.1, with another port. For a browser
// that is the same site as 127.0.0.1, and another site than localhost. For intranet.test, which has no https,
// the browser does not send Sec-Fetch-Site.
var siteNames = []string{"127.0.0.1", "localhost", "intranet.test"}

// endpointAt returns the URL of the endpoint with another name of the site.
func endpointAt(host string, site *launch.Site) string {
	return strings.Replace(site.URL, "127.0.0.1", host, 1) + "/comet.php"
}

func TestCrossOrigin_ForeignPagePublishesAndReadsNothing(t *testing.T) {
	browser := startBrowser(t)
	for _, server := range []launch.Server{launch.Nginx, launch.ApacheCGI} {
		t.Run(string(server), func(t *testing.T) {
			site := startSite(t, server)
			foreign := openWindow(t, browser, startForeignPage(t).URL)
			for _, host := range siteNames {
				t.Run(host, func(t *testing.T) {
					for i, forgery := range forgeries {
						id := fmt.Sprintf("%s-%d", host, i)
						evaluate[int](t, foreign, fmt.Sprintf(forgery.script, endpointAt(host, site)+"?publish="+id))
						if stamp := stampOf(t, site, id); stamp != "" {
							t.Errorf("%s published %s", forgery.name, id)
						}
					}
					read := fetchText(t, foreign, endpointAt(host, site), "subscribed[a]=now&wait=0")
					if read != "TypeError" {
						t.Errorf("the foreign page reads %s", read)
					}
					testOwnPage(t, browser, site, host)
				})
			}
		})
	}
}

// Without https, a page can suppress the address of its site in a GET request, but not in a POST.
func TestCrossOrigin_ForeignPageWithoutReferrerPublishesNothingIfOnlyPOSTMay(t *testing.T) {
	browser := startBrowser(t)
	site := launchSite(t, launch.Options{
		Server: launch.Nginx, Blocks: []string{"Publish only by POST"}, Settings: shortPolls,
	})
	foreign := openWindow(t, browser, startForeignPage(t).URL)
	for i, script := range []string{
		`new Promise(done => {
			const i = new Image();
			i.referrerPolicy = "no-referrer";
			i.onload = i.onerror = () => done(0);
			i.src = %q;
		})`,
		`fetch(%q, { mode: "no-cors", referrerPolicy: "no-referrer" }).then(() => 0)`,
		`fetch(%q, { mode: "no-cors", referrerPolicy: "no-referrer", method: "POST", body: "x" }).then(() => 0)`,
	} {
		id := fmt.Sprintf("no-referrer-%d", i)
		evaluate[int](t, foreign, fmt.Sprintf(script, endpointAt("intranet.test", site)+"?publish="+id))
		if stamp := stampOf(t, site, id); stamp != "" {
			t.Errorf("%s published", script)
		}
	}
	testOwnPage(t, browser, site, "intranet.test")
}

func TestCrossOrigin_PageOfListedSitePublishesAndReads(t *testing.T) {
	browser := startBrowser(t)
	for _, server := range []launch.Server{launch.Nginx, launch.ApacheCGI} {
		t.Run(string(server), func(t *testing.T) {
			page := startForeignPage(t)
			site := launchSite(t, launch.Options{
				Server:   server,
				Settings: shortPolls,
				Blocks:   []string{"Pages of another site"},
				Replace:  map[string]string{"https://www.example.com": page.URL},
			})
			listed, other := openWindow(t, browser, page.URL), openWindow(t, browser, startForeignPage(t).URL)
			for _, host := range siteNames {
				t.Run(host, func(t *testing.T) {
					url, id := endpointAt(host, site), "listed-"+host
					if got := postForm(t, listed, url, id); got != "true" || stampOf(t, site, id) == "" {
						t.Errorf("publishing: %s", got)
					}
					for query, want := range map[string]string{
						"subscribed[never]=0.000000&wait=0": `200 {"s":0,"at":{"never":"0.000000"}}`,
						"subscribed[" + id + "]=0.0&wait=0": `200 {"s":1,`,
						"subscribed[a/b]=now":               `400 {"error":`,
						"publish=.hidden":                   `400 {"error":`,
						"":                                  `400 {"error":`,
					} {
						if got := fetchText(t, listed, url, query); !strings.HasPrefix(got, want) {
							t.Errorf("%s: the page reads %s; want %s", query, got, want)
						}
					}
					// A form cannot have this content type, so the browser sends a preflight.
					script := `fetch(%q, {
						method: "POST", headers: { "Content-Type": "application/json" }, body: "{}",
					}).then(r => "" + r.status)`
					if got := evaluate[string](t, listed, fmt.Sprintf(script, url+"?publish="+id)); got != "200" {
						t.Errorf("after a preflight: %s", got)
					}
					const poll = "subscribed[never]=now&wait=0"
					if got := fetchText(t, other, url, poll); got != "TypeError" {
						t.Errorf("a page that is not listed reads %s", got)
					}
					script = `fetch(%q, { credentials: "include" }).then(r => r.text(), e => e.name)`
					if got := evaluate[string](t, listed, fmt.Sprintf(script, url+"?"+poll)); got != "TypeError" {
						t.Errorf("with cookies the page reads %s", got)
					}
				})
			}
		})
	}
}

// The browser sends a preflight, because of Last-Event-ID and Cache-Control.
func TestCrossOrigin_PageOfListedSiteResumesStreamWithFetch(t *testing.T) {
	page := startForeignPage(t)
	site := launchSite(t, launch.Options{
		Server:   launch.Nginx,
		Settings: map[string]string{"origins": page.URL},
	})
	touch(t, eventFile(site, "a"))
	seen := stampOf(t, site, "a")
	touch(t, eventFile(site, "b"))
	listed := openWindow(t, startBrowser(t), page.URL)
	for _, host := range siteNames {
		script := fmt.Sprintf(`(async () => {
			const headers = { Accept: "text/event-stream", "Last-Event-ID": %q, "Cache-Control": "no-cache" };
			const stream = await fetch(%q, { headers });
			let text = "";
			for await (const part of stream.body.pipeThrough(new TextDecoderStream())) {
				text += part;
				if (/^id: .*\n\n/m.test(text)) break;
			}
			return stream.status + " " + text;
		})().catch(e => e.name)`, seen+",0.000000", endpointAt(host, site)+"?subscribed[a]=now&subscribed[b]=now")
		got := evaluate[string](t, listed, script)
		hasA, hasB := strings.Contains(got, "event: a\n"), strings.Contains(got, "event: b\n")
		if !strings.HasPrefix(got, "200 ") || hasA || !hasB {
			t.Errorf("%s: the page reads %q; want a stream with b, and without a", host, got)
		}
	}
}

// fetchText returns what a page can read of an answer: its status and body, or the name of an error.
func fetchText(t *testing.T, page *window, url, query string) string {
	t.Helper()
	const script = `fetch(%q).then(async r => r.status + " " + await r.text(), e => e.name)`
	return evaluate[string](t, page, fmt.Sprintf(script, url+"?"+query))
}

// postForm publishes an event from a page, and returns the body of the answer.
func postForm(t *testing.T, page *window, url, id string) string {
	t.Helper()
	const script = `fetch(%q, { method: "POST", body: new URLSearchParams({ publish: %q }) }).then(r => r.text())`
	return evaluate[string](t, page, fmt.Sprintf(script, url, id))
}

// testOwnPage checks that a page of NovComet's site publishes and reads, with this name of the site.
func testOwnPage(t *testing.T, browser browser, site *launch.Site, host string) {
	t.Helper()
	own := openWindow(t, browser, strings.TrimSuffix(endpointAt(host, site), "comet.php"))
	id := "own-" + host
	if got := postForm(t, own, "/comet.php", id); got != "true" {
		t.Errorf("publishing from the site's own page at %s: %s", host, got)
	}
	if _, err := os.Stat(eventFile(site, id)); err != nil {
		t.Error(err)
	}
	if got := fetchText(t, own, "/comet.php", "subscribed[never]=0.0&wait=0"); !strings.HasPrefix(got, `200 {"s":0`) {
		t.Errorf("the site's own page at %s reads %s", host, got)
	}
}
