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
				data    string // as the page shows it
			}{
				{"click", "chat", clickChat, ""},
				{"Enter key", "news", func(t *testing.T) {
					stranger.do(t, chromedp.SendKeys(publishButton("news"), kb.Enter))
				}, ""},
				{"touch", "news", func(t *testing.T) { touch(t, eventFile(site, "news")) }, ""},
				{"typed text", "chat", typeChat(html), html},
				{"typed JSON", "chat", typeChat(`{ "n": [1] }`), `{"n":[1]}`},
				{"click again", "chat", clickChat, `{"n":[1]}`},
				{"the echo command", "news", func(t *testing.T) {
					shell(t, site, strings.Replace(command(t, "write"), "/dev/shm/", site.Events+"/", 1))
				}, `{"text":"hello"}`},
				{"the curl command", "news", func(t *testing.T) {
					curl := command(t, "publish")
					output, err := exec.Command("sh", "-c", curl).Output()
					if err != nil || string(output) != "true" {
						t.Fatalf("%s: %v %q", curl, err, output)
					}
				}, `{"text":"hello"}`},
			}
			for _, p := range publications {
				t.Run(p.by, func(t *testing.T) {
					before := stampOf(t, site, p.id)
					p.publish(t)
					for _, w := range windows {
						w.waitForPublication(t, site, p.id, before)
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
	news, chat := stampOf(t, site, "news"), stampOf(t, site, "chat")
	touch(t, eventFile(site, "news"))
	touch(t, eventFile(site, "chat"))
	startDaemon(t, site)

	w.waitFor(t, connected)
	w.waitForPublication(t, site, "news", news)
	chat = w.waitForPublication(t, site, "chat", chat)
	w.do(t, chromedp.Click(publishButton("chat")))
	w.waitForPublication(t, site, "chat", chat)
	// The browser logs each request that failed while comet-fcgi was stopped.
	w.wantEmptyConsole(t, site.URL+"/comet.php")
}
