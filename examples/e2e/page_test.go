package e2e_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"novcomet/examples/internal/launch"
)

const connected = `body[data-state="connected"]`

// publishButton selects the button that publishes an event.
func publishButton(id string) chromedp.CSS {
	return chromedp.CSS(`.event[data-event="` + id + `"] .publish`)
}

// valueField selects the input for the data of an event.
func valueField(id string) chromedp.CSS {
	return chromedp.CSS(`.event[data-event="` + id + `"] .value`)
}

// logLine selects the line of the page's log about the publication with this stamp.
func logLine(id, stamp string) string {
	return `#log li[data-event="` + id + `"] time[data-stamp="` + stamp + `"]`
}

// logLineOf is like logLine, but only for a line of this kind: own, other or earlier.
func logLineOf(kind, id, stamp string) string {
	return strings.Replace(logLine(id, stamp), "#log li", `#log li[data-kind="`+kind+`"]`, 1)
}

func TestPage_ShowsEveryPublicationInEveryWindow(t *testing.T) {
	for _, server := range []launch.Server{launch.Nginx, launch.ApacheCGI} {
		t.Run(string(server), func(t *testing.T) {
			site := startSite(t, server)
			browser := startBrowser(t)
			// The neighbour shares connections, cache and cookies with the first window, unlike the stranger.
			first := openWindow(t, browser, site.URL)
			neighbour := openWindow(t, browser, site.URL)
			stranger := openPrivate(t, browser, site.URL)
			windows := []*window{first, neighbour, stranger}
			for _, w := range windows {
				w.waitFor(t, connected)
			}

			// command returns a command that the page shows.
			command := func(t *testing.T, id string) string {
				return evaluate[string](t, neighbour, fmt.Sprintf("document.getElementById(%q).textContent", id))
			}
			clickChat := func(t *testing.T) { first.do(t, chromedp.Click(publishButton("chat"))) }
			typeChat := func(data string) func(t *testing.T) {
				return func(t *testing.T) { first.do(t, chromedp.SendKeys(valueField("chat"), data+kb.Enter)) }
			}
			const html = `<img src=x onerror="document.title='hacked'">`
			// The first two create the files, as the server's user. The server could not publish an event
			// whose file the user of the tests had created.
			publications := []struct {
				by, id  string
				publish func(t *testing.T)
				data    string  // as the page shows it
				own     *window // the window that published
			}{
				{"click", "chat", clickChat, "", first},
				{"Enter key", "news", func(t *testing.T) {
					stranger.do(t, chromedp.SendKeys(publishButton("news"), kb.Enter))
				}, "", stranger},
				{"touch", "news", func(t *testing.T) { touch(t, eventFile(site, "news")) }, "", nil},
				{"typed text", "chat", typeChat(html), html, first},
				{"typed JSON", "chat", typeChat(`{ "n": [1] }`), `{"n":[1]}`, first},
				{"click again", "chat", clickChat, `{"n":[1]}`, first},
				{"the echo command", "news", func(t *testing.T) {
					shell(t, site, command(t, "write"))
				}, `{"text":"hello"}`, nil},
				{"the curl command", "news", func(t *testing.T) {
					curl := command(t, "publish")
					output, err := exec.Command("sh", "-c", curl).Output()
					if err != nil || string(output) != "true" {
						t.Fatalf("%s: %v %q", curl, err, output)
					}
				}, `{"text":"hello"}`, nil},
			}
			for _, p := range publications {
				t.Run(p.by, func(t *testing.T) {
					before := stampOf(t, site, p.id)
					p.publish(t)
					for _, w := range windows {
						stamp := w.waitForPublication(t, site, p.id, before)
						kind := "other"
						if w == p.own {
							kind = "own"
						}
						if before != "" { // A new file may get two stamps.
							w.waitFor(t, logLineOf(kind, p.id, stamp))
						}
						for _, element := range []string{".event[data-event=%s] .data", "#log li[data-event=%s] code"} {
							selector := fmt.Sprintf(element, p.id)
							script := fmt.Sprintf("document.querySelector(%q).textContent === %q", selector, p.data)
							w.waitUntil(t, script)
						}
					}
				})
			}
			late := openWindow(t, browser, site.URL) // It begins with the last publication.
			late.waitUntil(t, `document.querySelector(".event[data-event=chat] .data").textContent === '{"n":[1]}'`)
			late.waitFor(t, logLineOf("earlier", "chat", stampOf(t, site, "chat")))
			windows = append(windows, late)
			for _, w := range windows {
				w.wantEmptyConsole(t)
				if evaluate[bool](t, w, `document.title === "hacked" || document.querySelector("main img") !== null`) {
					t.Error("data became HTML")
				}
			}
		})
	}
}

// countdown is a script that collects the seconds which the page shows until its next attempt to connect.
const countdown = `(() => {
	const shown = document.getElementById("countdown");
	window.counted = [];
	const count = () => counted.push(parseInt(shown.textContent.match(/\d+/)?.[0] ?? "0"));
	new MutationObserver(count).observe(shown, { childList: true });
	return true;
})()`

func TestPage_MissesNothingWhileServerRestarts(t *testing.T) {
	site := startSite(t, launch.Nginx)
	w := openWindow(t, startBrowser(t), site.URL)
	w.waitFor(t, connected)
	for _, id := range []string{"news", "chat"} {
		before := stampOf(t, site, id)
		w.do(t, chromedp.Click(publishButton(id)))
		w.waitForPublication(t, site, id, before)
	}

	stopDaemon(t, site)
	w.waitFor(t, `body[data-state="lost"]`)
	w.do(t, chromedp.SendKeys(valueField("chat"), "not lost"+kb.Enter))
	w.waitUntil(t, `document.querySelector("[data-event=chat] .problem").textContent === "Not published: HTTP 502"`)
	if got := evaluate[string](t, w, `document.querySelector("[data-event=chat] .value").value`); got != "not lost" {
		t.Errorf("after the publication failed, the input has %q, want its text", got)
	}
	evaluate[bool](t, w, countdown)
	w.waitUntil(t, `counted.some((n, i) => n > 0 && n === counted[i - 1] - 1)`)
	news, chat := stampOf(t, site, "news"), stampOf(t, site, "chat")
	touch(t, eventFile(site, "news"))
	touch(t, eventFile(site, "chat"))
	startDaemon(t, site)

	w.waitFor(t, connected)
	w.waitUntil(t, `document.getElementById("countdown").textContent === ""`)
	w.waitForPublication(t, site, "news", news)
	chat = w.waitForPublication(t, site, "chat", chat)
	w.do(t, chromedp.Click(publishButton("chat")))
	w.waitForPublication(t, site, "chat", chat)
	w.waitUntil(t, `document.querySelector("[data-event=chat] .data").textContent === "not lost"`)
	w.waitUntil(t, `document.querySelector("[data-event=chat] .problem").textContent === ""`)
	// The browser logs each request that failed while comet-fcgi was stopped.
	w.wantEmptyConsole(t, site.URL+"/comet.php")
}

func TestPage_ShowsLatencyIfItKnowsTheServersClock(t *testing.T) {
	site := startSite(t, launch.Nginx)
	browser := startBrowser(t)
	for _, test := range []struct {
		name    string
		seconds int // by which the page's clock is ahead
		shows   bool
	}{
		{"the clocks agree", 0, true},
		{"the page's clock is ahead", 3600, false},
		{"the page's clock is behind", -3600, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := openPrivate(t, browser, "about:blank")
			w.runFirst(t, fmt.Sprintf(`{ const now = Date.now; Date.now = () => now() + %d * 1000; }`, test.seconds))
			w.navigate(t, site.URL)
			w.waitFor(t, connected)
			// publish returns the latency that the page shows for a publication.
			publish := func(publish func()) string {
				before := stampOf(t, site, "news")
				publish()
				stamp := w.waitForPublication(t, site, "news", before)
				script := fmt.Sprintf("document.querySelector(%q).parentElement.textContent", logLine("news", stamp))
				_, delay, _ := strings.Cut(evaluate[string](t, w, script), " ")
				return delay
			}
			byFile := func() { shell(t, site, "touch news.comet") }
			// mustShow publishes until the page shows a latency. On a slow machine the first ones may be too long.
			mustShow := func(when string, prepare func()) {
				eventually(t, func() error {
					prepare()
					var ms int
					delay := publish(byFile)
					if _, err := fmt.Sscanf(delay, "after %d ms", &ms); err != nil || ms < 0 {
						return fmt.Errorf("%s the page shows %q, want a latency", when, delay)
					}
					return nil
				})
			}
			byFile() // The next publication does not create the file.
			if test.shows {
				mustShow("at first", func() {})
			} else if delay := publish(byFile); delay != "" {
				t.Errorf("at first the page shows %q, want no latency", delay)
			}
			mustShow("after its own publication", func() {
				publish(func() { w.do(t, chromedp.Click(publishButton("news"))) })
			})
		})
	}
}
