package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"novcomet/examples/internal/launch"
)

// wantRequests waits until this many polls or streams wait at the server.
func (tt *tabs) wantRequests(t *testing.T, want int) {
	t.Helper()
	eventually(t, func() error {
		if n := waitingRequests(t, tt.site); n != want {
			return fmt.Errorf("%d requests wait, want %d", n, want)
		}
		return nil
	})
}

// The server refuses a request as a whole. Only the tab that asks for what is not allowed pays for it.
func TestTabs_GoOnWithoutTabWhoseWishIsRefused(t *testing.T) {
	forEachHost(t, hosts[:2], func(t *testing.T, browser browser, h host) {
		site := launchPages(t, launch.Options{
			Server: launch.Nginx, Blocks: []string{metrics},
			Settings: map[string]string{"subscribe.allow": "'all, only-*'"},
		})
		tt := newTabs(t, site, browser, h)
		tt.add(t, 7)
		tt.wantOneRequest(t)
		bad := tt.first.openTab(t, tt.url+"/tab.html?ids=all,forbidden")
		bad.waitUntil(t, `states.at(-1) === "error"`)
		leading := tt.first.openTab(t, tt.url+"/tab.html?ids=all") // A later page works, too.
		leading.waitUntil(t, `states.at(-1) === "open"`)
		tt.publish(t, "all")
		wantStamp(t, site, "all", append(tt.open, leading)...)
		wantNoError(t, append(tt.open, leading)...)
		tt.wantRequests(t, 1)

		// The tab returns when it no longer asks for that.
		evaluate[bool](t, bad, `NovComet.unsubscribe("forbidden") && true`)
		bad.waitUntil(t, `states.at(-1) === "open"`)
		tt.publish(t, "all")
		wantStamp(t, site, "all", append(tt.open, bad)...)
		tt.wantOneRequest(t)

		// If it is the leader, another tab takes over.
		evaluate[bool](t, tt.removeLeader(t), `NovComet.subscribe("forbidden", () => {}) && true`)
		tt.publish(t, "all")
		wantStamp(t, site, "all", tt.open...)
		wantNoError(t, tt.open...)
		tt.wantOneRequest(t)
	}, chromium, firefox)
}

func TestTabs_WithTooManyIDsTogether(t *testing.T) {
	forEachHost(t, hosts[:1], func(t *testing.T, browser browser, h host) {
		tt := startTabs(t, browser, h, 2)
		for i := range 3 {
			tab := tt.first.openTab(t, tt.url+"/tab.html?ids=all")
			evaluate[bool](t, tab, fmt.Sprintf(`(() => { for (let i = 0; i < 400; i++) follow(%q + i); return true; })()`,
				strings.Repeat("many-", i+1)))
			tt.open = append(tt.open, tab)
		}
		tt.wantRequests(t, 2) // The last tab has one of its own.
		tt.publish(t, "all")
		wantStamp(t, tt.site, "all", tt.open...)
		wantNoError(t, tt.open...)
	}, chromium, firefox)
}
