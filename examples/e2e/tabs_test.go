package e2e_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"novcomet/examples/internal/launch"
)

// host is where tabs agree on who asks in one of the ways there are: browsers have Web Locks only on localhost and over https.
type host struct {
	way, host string
	polls     bool // without streams
}

var hosts = []host{
	{"by Web Locks", "localhost", false},
	{"by a lease", "intranet.test", false},
	{"by Web Locks, and poll", "localhost", true},
}

// tabs are tabs of one browser window, of which all but one are in the background, with testdata/pages/tab.html.
type tabs struct {
	site    *launch.Site
	browser context.Context
	url     string
	query   string // of each tab, besides its ids
	open    []*window
}

// startTabs starts a site and opens n tabs with it at the same moment, which share nothing with others of the browser.
// Each follows the event "all", and one of its own, "only-0", "only-1" and so on.
func startTabs(t *testing.T, browser context.Context, h host, n int) *tabs {
	t.Helper()
	tt := startTabsOf(t, startPages(t), browser, h)
	tt.add(t, n)
	return tt
}

func startTabsOf(t *testing.T, site *launch.Site, browser context.Context, h host) *tabs {
	t.Helper()
	first := openWindow(t, browser, "about:blank", chromedp.WithNewBrowserContext())
	tt := &tabs{site: site, browser: first.ctx, url: strings.Replace(site.URL, "127.0.0.1", h.host, 1)}
	if h.polls {
		tt.query = "&polls=1"
	}
	return tt
}

func (tt *tabs) add(t *testing.T, n int) {
	t.Helper()
	before := len(tt.open)
	for range n {
		tt.open = append(tt.open, openWindow(t, tt.browser, "about:blank", chromedp.WithNewWindow(false)))
	}
	opened := make(chan error, n)
	for i, tab := range tt.open[before:] {
		go func() {
			opened <- chromedp.Do(tab.ctx, chromedp.Navigate(fmt.Sprintf("%s/tab.html?ids=all,only-%d%s", tt.url, before+i, tt.query)))
		}()
	}
	for range n {
		if err := <-opened; err != nil {
			t.Fatal(err)
		}
	}
	for _, tab := range tt.open[before:] {
		tab.waitUntil(t, `states.at(-1) === "open"`)
	}
}

// wantTold waits until the tabs were told of the event's last publication.
func wantTold(t *testing.T, site *launch.Site, id string, tabs ...*window) {
	t.Helper()
	for i, tab := range tabs {
		deadline := time.Now().Add(2 * patience)
		for again := time.Tick(20 * time.Millisecond); ; <-again {
			stamp := stampOf(t, site, id) // anew each time, for a new file has two stamps in quick succession
			told := evaluate[string](t, tab, fmt.Sprintf("told[%q] ?? ''", id))
			if told == stamp {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("tab %d of %d was told that %s was published at %q, last it was at %s", i+1, len(tabs), id, told, stamp)
			}
		}
	}
}

// wantOneRequest waits until a single poll or stream waits at the server, and fails if there is another one in the next 2 s.
func (tt *tabs) wantOneRequest(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for quiet := time.Now(); time.Since(quiet) < 2*time.Second; time.Sleep(20 * time.Millisecond) {
		n := waitingRequests(t, tt.site)
		if n == 1 {
			continue
		}
		quiet = time.Now()
		if quiet.After(deadline) {
			t.Fatalf("%d requests wait for %d tabs, want 1", n, len(tt.open))
		}
	}
}

// leader takes the tab that asks the server out of the others.
func (tt *tabs) leader(t *testing.T) *window {
	t.Helper()
	deadline := time.Now().Add(patience)
	for again := time.Tick(20 * time.Millisecond); time.Now().Before(deadline); <-again {
		for i, tab := range tt.open {
			if evaluate[int](t, tab, "inFlight") > 0 {
				tt.open = append(tt.open[:i:i], tt.open[i+1:]...)
				return tab
			}
		}
	}
	t.Fatal("no tab asks")
	return nil
}

func (tt *tabs) publish(t *testing.T, id string) {
	t.Helper()
	wantBody(t, within(t, patience, polling(t, tt.site, "publish="+id)), "true")
}

func TestTwelveTabsShareOneRequest(t *testing.T) {
	browser := startBrowser(t)
	for _, h := range hosts {
		t.Run(h.way, func(t *testing.T) {
			t.Parallel()
			tt := startTabs(t, browser, h, 12) // twice as many as there are connections to a server
			if locks := evaluate[bool](t, tt.open[0], "!!navigator.locks"); locks != (h.host == "localhost") {
				t.Fatalf("there are Web Locks at %s: %v", tt.url, locks)
			}
			tt.wantOneRequest(t)
			for range 3 {
				tt.publish(t, "all")
				wantTold(t, tt.site, "all", tt.open...)
			}
			for i, tab := range tt.open {
				tt.publish(t, fmt.Sprintf("only-%d", i))
				wantTold(t, tt.site, fmt.Sprintf("only-%d", i), tab)
			}
			if told := evaluate[string](t, tt.open[3], "Object.keys(told).sort().join()"); told != "all,only-3" {
				t.Errorf("a tab was told of %s, which is not what it follows", told)
			}
			tt.wantOneRequest(t)

			// The tab that polls is closed, and the next one that does, and the next one.
			for range 3 {
				closed := tt.leader(t)
				if err := chromedp.Cancel(closed.ctx); err != nil {
					t.Fatal(err)
				}
				tt.publish(t, "all")
				wantTold(t, tt.site, "all", tt.open...)
			}
			tt.wantOneRequest(t)
		})
	}
}

func TestTabsOpenedInTheSameSecondShareOneRequest(t *testing.T) {
	browser := startBrowser(t)
	for _, h := range hosts[:2] {
		t.Run(h.way, func(t *testing.T) {
			t.Parallel()
			tt := startTabs(t, browser, h, 2)
			for range 3 { // times in which nobody is there
				tt.wantOneRequest(t)
				tt.publish(t, "all")
				wantTold(t, tt.site, "all", tt.open...)
				for _, tab := range tt.open {
					if err := chromedp.Cancel(tab.ctx); err != nil {
						t.Fatal(err)
					}
				}
				tt.open = nil
				tt.add(t, 2)
			}
			tt.wantOneRequest(t)
		})
	}
}

func TestTabsFollowWhatTheyCameForWheneverTheyCome(t *testing.T) {
	browser := startBrowser(t)
	for _, h := range hosts {
		t.Run(h.way, func(t *testing.T) {
			t.Parallel()
			tt := startTabs(t, browser, h, 2)
			tt.publish(t, "late")
			tt.add(t, 1)
			late := tt.open[2]
			evaluate[bool](t, late, `follow("late"), true`)
			late.waitUntil(t, `NovComet.last("late") > 0`) // the tab that polls now asks for it, too
			tt.publish(t, "late")
			wantTold(t, tt.site, "late", late)
			tt.wantOneRequest(t)

			// What is published while a tab does not listen, and another one does, is told afterwards.
			evaluate[bool](t, late, "NovComet.stop(), true")
			tt.publish(t, "all")
			wantTold(t, tt.site, "all", tt.open[:2]...)
			tt.publish(t, "late")
			evaluate[bool](t, late, "NovComet.run(), true")
			wantTold(t, tt.site, "all", late)
			wantTold(t, tt.site, "late", late)
		})
	}
}

// A tab that hangs, crashes or is put to sleep while it polls takes nobody along.
func TestTabsGoOnWithoutATabThatFails(t *testing.T) {
	failures := []struct {
		how  string
		fail func(ctx context.Context, target *chromedp.Target)
	}{
		{"frozen", func(ctx context.Context, target *chromedp.Target) {
			cdp.Call(ctx, target, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: page.SetWebLifecycleStateStateFrozen})
		}},
		{"crashed", func(ctx context.Context, target *chromedp.Target) { cdp.Call(ctx, target, page.Crash, cdp.Empty{}) }},
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
				ctx, cancel := context.WithCancel(tt.leader(t).ctx)
				t.Cleanup(cancel)
				go chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error { // it never answers
					f.fail(ctx, target)
					return nil
				}))
				tt.open[0].bringToFront(t)
				tt.publish(t, "all")
				wantTold(t, tt.site, "all", tt.open...)
			})
		}
	}
}

func TestEndpointsDoNotMix(t *testing.T) {
	site := startPages(t)
	browser := startBrowser(t)
	var open []*window
	for _, endpoint := range []string{"/comet.php?site=1", "/comet.php?site=2"} {
		tab := openWindow(t, browser, site.URL+"/tab.html?ids=all&endpoint="+url.QueryEscape(endpoint))
		tab.waitUntil(t, `states.at(-1) === "open" && inFlight === 1`)
		open = append(open, tab)
	}
	wantBody(t, within(t, patience, polling(t, site, "publish=all")), "true")
	wantTold(t, site, "all", open...)
}

// The server refuses a poll with such an id as a whole.
func TestATabThatIsRefusedDoesNotDisturbTheOthers(t *testing.T) {
	tt := startTabs(t, startBrowser(t), hosts[0], 2)
	bad := openWindow(t, tt.browser, tt.url+"/tab.html?ids=all,../bad")
	bad.waitUntil(t, `states.includes("error")`)
	tt.publish(t, "all")
	wantTold(t, tt.site, "all", tt.open...)
}
