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

func TestTabsMissNothingWhileTheServerIsDown(t *testing.T) {
	const down = 10 * time.Second
	browser := startBrowser(t)
	for _, h := range hosts {
		t.Run(h.way, func(t *testing.T) {
			t.Parallel()
			tt := startTabs(t, browser, h, 3)
			tt.publish(t, "all") // the server's user makes the file, and can publish it afterwards
			wantTold(t, tt.site, "all", tt.open...)
			stopped := time.Now()
			if err := tt.site.StopDaemon(); err != nil {
				t.Fatal(err)
			}
			for _, tab := range tt.open {
				tab.waitUntil(t, `states.at(-1) === "error"`)
			}
			touch(t, eventFile(tt.site, "all"))
			time.Sleep(down - time.Since(stopped)) // that it is down is what is tried
			if err := tt.site.StartDaemon(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantTold(t, tt.site, "all", tt.open...)
			for _, tab := range tt.open {
				tab.waitUntil(t, `states.at(-1) === "open"`)
			}
			tt.wantOneRequest(t)
		})
	}
}

func TestATabMissesNothingWhileOffline(t *testing.T) {
	tt := startTabs(t, startBrowser(t), hosts[0], 1)
	tab := tt.open[0]
	online := func(online bool) {
		tab.do(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			all := &network.Conditions{Offline: !online, DownloadThroughput: -1, UploadThroughput: -1}
			rules := network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{all}}
			if _, err := cdp.Call(ctx, target, network.EmulateNetworkConditionsByRule, rules); err != nil {
				return err
			}
			state := network.OverrideNetworkStateParams{Offline: !online, DownloadThroughput: -1, UploadThroughput: -1}
			_, err := cdp.Call(ctx, target, network.OverrideNetworkState, state)
			return err
		}))
	}
	online(false)
	tab.waitUntil(t, `states.filter((state) => state === "error").length === 4`) // the next attempt is 6 s away at least
	tt.publish(t, "all")
	online(true)
	wantTold(t, tt.site, "all", tab)
	if !evaluate[bool](t, tab, `due < online || requests.some(({ at }) => online <= at && at < due)`) {
		t.Error("the tab did not ask when it was online again, but when the pause was over")
	}
}

func TestATabAsksWhenItIsShownAgain(t *testing.T) {
	tt := startTabs(t, startBrowser(t), hosts[0], 1)
	tab := tt.open[0]
	tab.waitUntil(t, `inFlight === 1`)
	openWindow(t, tt.browser, "about:blank", chromedp.WithNewWindow(false)) // in front of it
	tab.waitUntil(t, `document.hidden && performance.now() - requests.at(-1).at > 1000`)
	before := evaluate[int](t, tab, "requests.length")
	tab.bringToFront(t)
	tab.waitUntil(t, fmt.Sprintf(`requests.slice(%d).some(({ url }) => url.endsWith("wait=0"))`, before))
}
