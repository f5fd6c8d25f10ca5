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

// publishButton selects the button that publishes the event.
func publishButton(id string) chromedp.CSS {
	return chromedp.CSS(`.event[data-event="` + id + `"] .publish`)
}

// valueField selects where the data is typed that the event is published with.
func valueField(id string) chromedp.CSS {
	return chromedp.CSS(`.event[data-event="` + id + `"] .value`)
}

// shown selects the line of the page's log that tells of this very publication of the event.
func shown(id, stamp string) string {
	return `#log li[data-event="` + id + `"] time[data-stamp="` + stamp + `"]`
}

func TestPageShowsEveryPublicationInEveryWindow(t *testing.T) {
	for _, server := range []launch.Server{launch.Nginx, launch.ApacheCGI} {
		t.Run(string(server), func(t *testing.T) {
			site := startSite(t, server)
			browser := startBrowser(t)
			// The neighbour shares connections, cache and cookies with the first window; the stranger shares nothing.
			first := openWindow(t, browser, site.URL)
			neighbour := openWindow(t, browser, site.URL)
			stranger := openWindow(t, browser, site.URL, chromedp.WithNewBrowserContext())
			windows := []*window{first, neighbour, stranger}
			for _, w := range windows {
				w.waitFor(t, connected)
			}

			// The first two make the files, as the server's user; a file made by the user who runs the tests
			// could not be published through the server any more.
			line := func(t *testing.T, id string) string {
				return evaluate[string](t, neighbour, fmt.Sprintf("document.getElementById(%q).textContent", id))
			}
			const html = `<img src=x onerror="document.title='hacked'">`
			publications := []struct {
				by, id  string
				publish func(t *testing.T)
				data    string // as it is shown
			}{
				{"click", "chat", func(t *testing.T) { first.do(t, chromedp.Click(publishButton("chat"))) }, ""},
				{"Enter key", "news", func(t *testing.T) { stranger.do(t, chromedp.SendKeys(publishButton("news"), kb.Enter)) }, ""},
				{"touch", "news", func(t *testing.T) { touch(t, eventFile(site, "news")) }, ""},
				{"typed text", "chat", func(t *testing.T) { first.do(t, chromedp.SendKeys(valueField("chat"), html+kb.Enter)) }, html},
				{"typed JSON", "chat", func(t *testing.T) { first.do(t, chromedp.SendKeys(valueField("chat"), `{ "n": [1] }`+kb.Enter)) }, `{"n":[1]}`},
				{"click again", "chat", func(t *testing.T) { first.do(t, chromedp.Click(publishButton("chat"))) }, `{"n":[1]}`},
				{"the echo line", "news", func(t *testing.T) {
					shell(t, site, strings.Replace(line(t, "write"), "/dev/shm/", site.Events+"/", 1))
				}, `{"text":"hello"}`},
				{"the curl line", "news", func(t *testing.T) {
					line := line(t, "publish")
					output, err := exec.Command("sh", "-c", line).Output()
					if err != nil || string(output) != "true" {
						t.Fatalf("%s: %v %q", line, err, output)
					}
				}, `{"text":"hello"}`},
			}
			for _, p := range publications {
				t.Run(p.by, func(t *testing.T) {
					before := stampOf(t, site, p.id)
					p.publish(t)
					for _, w := range windows {
						w.waitForPublication(t, site, p.id, before)
						w.waitUntil(t, fmt.Sprintf(`document.querySelector(".event[data-event=%s] .data").textContent === %q`, p.id, p.data))
						w.waitUntil(t, fmt.Sprintf(`document.querySelector("#log li[data-event=%s] code").textContent === %q`, p.id, p.data))
					}
				})
			}
			late := openWindow(t, browser, site.URL) // It begins with what there is.
			late.waitUntil(t, `document.querySelector(".event[data-event=chat] .data").textContent === '{"n":[1]}'`)
			windows = append(windows, late)
			for _, w := range windows {
				w.wantNoComplaints(t)
				if evaluate[bool](t, w, `document.title === "hacked" || document.querySelector("main img") !== null`) {
					t.Error("data became HTML")
				}
			}
		})
	}
}

func TestPageMissesNothingWhileTheServerRestarts(t *testing.T) {
	site := startSite(t, launch.Nginx)
	w := openWindow(t, startBrowser(t), site.URL)
	w.waitFor(t, connected)
	for _, id := range []string{"news", "chat"} {
		before := stampOf(t, site, id)
		w.do(t, chromedp.Click(publishButton(id)))
		w.waitForPublication(t, site, id, before)
	}

	if err := site.StopDaemon(); err != nil {
		t.Fatal(err)
	}
	w.waitFor(t, `body[data-state="lost"]`)
	news, chat := stampOf(t, site, "news"), stampOf(t, site, "chat")
	touch(t, eventFile(site, "news"))
	touch(t, eventFile(site, "chat"))
	if err := site.StartDaemon(t.Context()); err != nil {
		t.Fatal(err)
	}

	w.waitFor(t, connected)
	w.waitForPublication(t, site, "news", news)
	chat = w.waitForPublication(t, site, "chat", chat)
	w.do(t, chromedp.Click(publishButton("chat")))
	w.waitForPublication(t, site, "chat", chat)
	// While comet-fcgi was away nginx said so, and the browser notes each failed request by itself.
	w.wantNoComplaints(t, site.URL+"/comet.php")
}
