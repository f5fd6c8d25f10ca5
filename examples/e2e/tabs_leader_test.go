package e2e_test

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

func TestTabs_ContinueWithoutFailedLeader(t *testing.T) {
	failures := []struct {
		how  string
		fail func(ctx context.Context, target *chromedp.Target)
	}{
		{"frozen", func(ctx context.Context, target *chromedp.Target) {
			frozen := page.SetWebLifecycleStateParams{State: page.SetWebLifecycleStateStateFrozen}
			cdp.Call(ctx, target, page.SetWebLifecycleState, frozen)
		}},
		{"crashed", func(ctx context.Context, target *chromedp.Target) {
			cdp.Call(ctx, target, page.Crash, cdp.Empty{})
		}},
		{"hanging", func(ctx context.Context, target *chromedp.Target) {
			chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void]("for (;;);"))
		}},
	}
	browser := startBrowser(t)
	for _, h := range hosts[:2] {
		for _, f := range failures {
			t.Run(f.how+" "+h.way, func(t *testing.T) {
				t.Parallel()
				tt := startTabs(t, browser, h, 3)
				tt.wantOneRequest(t)
				ctx, cancel := context.WithCancel(tt.removeLeader(t).chromium(t).ctx)
				t.Cleanup(cancel)
				fail := func(ctx context.Context, target *chromedp.Target) error {
					f.fail(ctx, target)
					return nil
				}
				go chromedp.Do(ctx, chromedp.Func(fail)) // It does not return while the tab hangs.
				tt.open[0].bringToFront(t)
				tt.publish(t, "all")
				wantStamp(t, tt.site, "all", tt.open...)
			})
		}
	}
}

// Firefox and WebKit fail the requests of a page before its pagehide event.
func TestTabs_AreNotAlarmedWhenLeaderIsLeft(t *testing.T) {
	forEachHost(t, hosts, func(t *testing.T, browser browser, h host) {
		tt := startTabs(t, browser, h, 3)
		for range 2 {
			tt.removeLeader(t).navigate(t, tt.url+"/empty.html")
			tt.publish(t, "all")
			wantStamp(t, tt.site, "all", tt.open...)
			tt.wantOneRequest(t) // for 2 s, in which an error would be reported
			wantNoError(t, tt.open...)
		}
	}, chromium, firefox, webKit)
}

// The browser does not report a change of localStorage to the page that made it.
func TestTabs_ClientTakesOverFromStoppedClientOfSamePage(t *testing.T) {
	forEachHost(t, hosts[:2], func(t *testing.T, browser browser, h host) {
		tt := newTabs(t, startPages(t), browser, h)
		page := tt.first.openTab(t, tt.url+"/empty.html")
		const script = `(async () => {
			const one = await client(), two = await client();
			let called = false;
			await opened(one.subscribe("all", () => {}));
			await opened(two.subscribe("all", () => { called = true; }));
			one.stop();
			while (!called) await two.publish("all"), await sleep(0.1);
			return two.stop(), true;
		})()`
		evaluate[bool](t, page, script) // It fails if the second client gets no event.
	}, chromium, firefox)
}
