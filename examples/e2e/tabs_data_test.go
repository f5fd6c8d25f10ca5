package e2e_test

import (
	"fmt"
	"testing"

	"novcomet/examples/internal/launch"
)

// startDataTabs opens three tabs. The first, which leads, does not want data. The others have the data of
// "all".
func startDataTabs(t *testing.T, site *launch.Site, browser browser, h host) *tabs {
	t.Helper()
	write(t, site, "all", `{"n":0}`)
	tt := newTabs(t, site, browser, h)
	tt.add(t, 1)
	tt.query += "&data=all"
	tt.add(t, 2)
	wantData(t, "all", "{n: 0}", tt.open[1:]...)
	return tt
}

// wantData waits until the tabs have this data of the event. data is a JavaScript expression.
func wantData(t *testing.T, id, data string, tabs ...*window) {
	t.Helper()
	for _, tab := range tabs {
		tab.waitUntil(t, fmt.Sprintf("JSON.stringify(data[%q]) === JSON.stringify(%s)", id, data))
	}
}

func TestTabs_GetDataIfTheyWantIt(t *testing.T) {
	forEachHost(t, hosts, func(t *testing.T, browser browser, h host) {
		site := startPages(t)
		tt := startDataTabs(t, site, browser, h)
		write(t, site, "all", `{"n":1}`)
		wantData(t, "all", "{n: 1}", tt.open[1:]...)
		wantStamp(t, site, "all", tt.open[0])
		tt.add(t, 1) // It gets the data from another tab.
		wantData(t, "all", "{n: 1}", tt.open[3])
		tt.removeLeader(t).close(t)
		write(t, site, "all", "text, <b>not HTML</b>\n")
		tabs := tt.open[len(tt.open)-2:] // They want data, also if the closed tab was not the first.
		wantData(t, "all", "'text, <b>not HTML</b>'", tabs...)

		stopDaemon(t, site)
		for _, tab := range tabs {
			tab.waitUntil(t, `states.at(-1) === "error"`)
		}
		write(t, site, "all", `["meanwhile"]`)
		startDaemon(t, site)
		wantData(t, "all", "['meanwhile']", tabs...)
		tt.wantOneRequest(t)
	}, chromium, firefox)
}
