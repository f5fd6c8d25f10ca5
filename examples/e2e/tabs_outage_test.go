package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

func TestTabs_MissNothingWhileServerIsDown(t *testing.T) {
	const down = 10 * time.Second
	forEachHost(t, hosts, func(t *testing.T, browser browser, h host) {
		tt := startTabs(t, browser, h, 3)
		tt.publish(t, "all") // so that the file belongs to the server's user
		wantStamp(t, tt.site, "all", tt.open...)
		stopped := time.Now()
		stopDaemon(t, tt.site)
		for _, tab := range tt.open {
			tab.waitUntil(t, `states.at(-1) === "error"`)
		}
		touch(t, eventFile(tt.site, "all"))
		for _, tab := range tt.open { // as a framework does when it renders anew
			evaluate[bool](t, tab, `NovComet.unsubscribe("all") && follow("all") && true`)
		}
		time.Sleep(down - time.Since(stopped)) // The outage must last.
		startDaemon(t, tt.site)
		wantStamp(t, tt.site, "all", tt.open...)
		for _, tab := range tt.open {
			tab.waitUntil(t, `states.at(-1) === "open"`)
		}
		tt.wantOneRequest(t)
	}, chromium, firefox, webKit)
}

func TestTabs_MissNothingWhileOffline(t *testing.T) {
	tt := startTabs(t, startBrowser(t), hosts[0], 1)
	tab := tt.open[0]
	online := func(online bool) {
		tab.do(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			conditions := &network.Conditions{Offline: !online, DownloadThroughput: -1, UploadThroughput: -1}
			rules := network.EmulateNetworkConditionsByRuleParams{
				MatchedNetworkConditions: []*network.Conditions{conditions},
			}
			if _, err := cdp.Call(ctx, target, network.EmulateNetworkConditionsByRule, rules); err != nil {
				return err
			}
			state := network.OverrideNetworkStateParams{Offline: !online, DownloadThroughput: -1, UploadThroughput: -1}
			_, err := cdp.Call(ctx, target, network.OverrideNetworkState, state)
			return err
		}))
	}
	online(false)
	tab.waitUntil(t, `states.filter((state) => state === "error").length === 4`) // The next attempt is in 6 s or later.
	tt.publish(t, "all")
	online(true)
	wantStamp(t, tt.site, "all", tab)
	if !evaluate[bool](t, tab, `due < online || requests.some(({ at }) => online <= at && at < due)`) {
		t.Error("the tab sent no request when it was online again, but at the end of the pause")
	}
}

func TestTabs_SendRequestWhenShownAgain(t *testing.T) {
	tt := startTabs(t, startBrowser(t), hosts[0], 1)
	tab := tt.open[0]
	tab.waitUntil(t, `inFlight === 1`)
	tt.first.openTab(t, "about:blank") // in front of the tab
	tab.waitUntil(t, `document.hidden && performance.now() - requests.at(-1).at > 1000`)
	before := evaluate[int](t, tab, "requests.length")
	tab.bringToFront(t)
	tab.waitUntil(t, fmt.Sprintf(`requests.slice(%d).some(({ url }) => url.endsWith("wait=0"))`, before))
}
