package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"novcomet/examples/internal/launch"
)

// formats are the settings of a location whose streams may have each format.
var formats = map[string]string{"publish.allow": "chat", "stream.formats": "[raw, turbo]", "sleep": "0.2"}

// startPagesWithLibraries starts nginx with the pages of examples/browser and the scripts that they name.
func startPagesWithLibraries(t *testing.T, holdSocket bool) *launch.Site {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("../browser")); err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{
		"htmx.org/dist/htmx.min.js", "htmx-ext-sse/dist/sse.min.js", "@hotwired/turbo/dist/turbo.es2017-umd.js",
	} {
		text, err := os.ReadFile(npmFile(t, script))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, filepath.Base(script)), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return launchSite(t, launch.Options{Server: launch.Nginx, Root: root, Settings: formats, HoldSocket: holdSocket})
}

func shows(selector, html string) string {
	return fmt.Sprintf("document.querySelector(%q)?.innerHTML === %q", selector, html)
}

// htmx opens a new stream after an HTTP error, from the cursors of the page.
func TestHtmx_ShowsEachPublicationAlsoOfAnOutage(t *testing.T) {
	t.Parallel()
	site := startPagesWithLibraries(t, false)
	write(t, site, "news", "<b>before</b>")
	w := openWindow(t, startBrowser(t), site.URL+"/htmx.html")
	w.waitUntil(t, shows(`[sse-swap="news"]`, "<b>before</b>"))
	write(t, site, "weather", "<ul>\r\n<li>sun</li>\r<li>wind</li>\n</ul>\n")
	w.waitUntil(t, shows(`[sse-swap="weather"]`, "<ul>\n<li>sun</li>\n<li>wind</li>\n</ul>"))
	if !evaluate[bool](t, w, shows(`[sse-swap="news"]`, "<b>before</b>")) {
		t.Error("an event changed the element of another one")
	}
	w.wantEmptyConsole(t, site.URL+"/favicon.ico") // htmx will log the outage.
	stopDaemon(t, site)
	write(t, site, "news", "<b>meanwhile</b>")
	startDaemon(t, site)
	w.waitUntil(t, shows(`[sse-swap="news"]`, "<b>meanwhile</b>"))
	write(t, site, "weather", "")
	w.waitUntil(t, shows(`[sse-swap="weather"]`, ""))
}

func TestTurbo_ReplacesElementsAndRefreshesThePage(t *testing.T) {
	t.Parallel()
	site := startPagesWithLibraries(t, true)
	w := openWindow(t, startBrowser(t), site.URL+"/turbo.html")
	w.waitFor(t, "turbo-stream-source")
	evaluate[bool](t, w, `(addEventListener("turbo:render", () => { window.renders = (window.renders ?? 0) + 1; }),
		window.source = document.querySelector("turbo-stream-source").streamSource, true)`)
	replaceNews := func(html string) {
		t.Helper()
		write(t, site, "news", `<p id="news">`+html+"</p>")
		w.waitUntil(t, shows("#news", html))
	}
	replaceNews("<b>first</b>")
	replaceNews("second\nline")
	write(t, site, "orders", "")
	w.waitUntil(t, `window.renders === 1 && `+shows("#news", "No news so far."))
	replaceNews("after a refresh")
	stopDaemon(t, site)
	write(t, site, "news", `<p id="news">meanwhile</p>`)
	startDaemon(t, site)
	w.waitUntil(t, shows("#news", "meanwhile"))
	if !evaluate[bool](t, w, `document.querySelector("turbo-stream-source").streamSource === source && renders === 1`) {
		t.Error("the page was refreshed twice, or has another stream")
	}
	w.wantEmptyConsole(t, site.URL+"/favicon.ico")
}

func TestEveryServer_SendsFormatsButNotWhatVisitorsPublish(t *testing.T) {
	t.Parallel()
	forEachServer(t, launch.Servers(), launch.Options{Settings: formats}, func(t *testing.T, site *launch.Site) {
		const query = "format=turbo&subscribed[a]=0.0"
		write(t, site, "a", "<p id=a>\nx</p>\n")
		s := openStream(t, site, query, "")
		if got := s.next(t, "data: "); got != `<turbo-stream action="replace" target="a"><template><p id=a>` {
			t.Errorf("the first line is %s", got)
		}
		if got := s.next(t, "data: "); got != "x</p></template></turbo-stream>" {
			t.Errorf("the second line is %s", got)
		}
		if id := s.next(t, "id: "); id != stampOf(t, site, "a") {
			t.Errorf("the id is %s, want %s", id, stampOf(t, site, "a"))
		}
		s.close()
		const want = `{"error":"format=turbo is not allowed for \"chat\": visitors may publish it by URL ` +
			`(publish.allow), and a page would insert their HTML"}`
		stream := header{"Accept", "text/event-stream"}
		try(t, site, attempt{"what visitors publish", query + "&subscribed[chat]=0.0", "", stream, 403, want})
	})
}
