package e2e_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"novcomet/examples/internal/launch"
)

// startDataTabs opens three tabs, of which all but the first, which asks, want the data of "all" and know what it carries.
func startDataTabs(t *testing.T, site *launch.Site, browser context.Context, h host) *tabs {
	t.Helper()
	write(t, site, "all", `{"n":0}`)
	tt := startTabsOf(t, site, browser, h)
	tt.add(t, 1)
	tt.query += "&data=all"
	tt.add(t, 2)
	wantData(t, "all", "{n: 0}", tt.open[1:]...)
	return tt
}

// wantData waits until the tabs were told that the event carries this, in JavaScript.
func wantData(t *testing.T, id, data string, tabs ...*window) {
	t.Helper()
	for _, tab := range tabs {
		tab.waitUntil(t, fmt.Sprintf("JSON.stringify(data[%q]) === JSON.stringify(%s)", id, data))
	}
}

func TestDataArrivesInEveryTabThatWantsIt(t *testing.T) {
	browser := startBrowser(t)
	for _, h := range hosts {
		t.Run(h.way, func(t *testing.T) {
			t.Parallel()
			site := startPages(t)
			tt := startDataTabs(t, site, browser, h)
			write(t, site, "all", `{"n":1}`)
			wantData(t, "all", "{n: 1}", tt.open[1:]...)
			wantTold(t, site, "all", tt.open[0])
			tt.add(t, 1) // It is told by another tab what there is.
			wantData(t, "all", "{n: 1}", tt.open[3])
			if err := chromedp.Cancel(tt.leader(t).ctx); err != nil {
				t.Fatal(err)
			}
			write(t, site, "all", "text, <b>not HTML</b>\n")
			tabs := tt.open[len(tt.open)-2:] // The first one may have been closed, or not.
			wantData(t, "all", "'text, <b>not HTML</b>'", tabs...)

			if err := site.StopDaemon(); err != nil {
				t.Fatal(err)
			}
			for _, tab := range tabs {
				tab.waitUntil(t, `states.at(-1) === "error"`)
			}
			write(t, site, "all", `["meanwhile"]`)
			if err := site.StartDaemon(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantData(t, "all", "['meanwhile']", tabs...)
			tt.wantOneRequest(t)
		})
	}
}
