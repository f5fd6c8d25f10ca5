package e2e_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"novcomet/examples/internal/launch"
)

// host is a name of the site, and how its tabs choose their leader. Browsers have Web Locks only on localhost
// and with https.
type host struct {
	way, name string
	polls     bool // without streams
}

var hosts = []host{
	{"by Web Locks", "localhost", false},
	{"by localStorage", "intranet.test", false},
	{"by Web Locks, with polls", "localhost", true},
}

// forEachHost runs a test in each browser with each host, in parallel. WebKit has only the first: it needs a
// new browser for each, and does not find intranet.test.
func forEachHost(t *testing.T, hosts []host, test func(*testing.T, browser, host), engines ...engine) {
	forEachBrowser(t, func(t *testing.T, browser browser) {
		for i, h := range hosts {
			if _, ok := browser.(*webDriver); ok && i > 0 {
				continue
			}
			t.Run(h.way, func(t *testing.T) {
				t.Parallel()
				test(t, browser, h)
			})
		}
	}, engines...)
}

// tabs are tabs of one browser window with testdata/pages/tab.html. All but one are in the background.
type tabs struct {
	site  *launch.Site
	first *window // the first tab of the browser window, with no page of the site
	url   string
	query string // of each tab, in addition to its ids
	open  []*window
}

// startTabs starts a site and opens n tabs with it at the same moment. They share nothing with other tabs of
// the browser. Each subscribes to the event "all", and to one of its own: "only-0", "only-1" and so on.
func startTabs(t *testing.T, browser browser, h host, n int) *tabs {
	t.Helper()
	tt := newTabs(t, startPages(t), browser, h)
	tt.add(t, n)
	return tt
}

// newTabs is like startTabs, but opens no tab, and uses a site that runs.
func newTabs(t *testing.T, site *launch.Site, browser browser, h host) *tabs {
	t.Helper()
	first := openPrivate(t, browser, "about:blank")
	tt := &tabs{site: site, first: first, url: strings.Replace(site.URL, "127.0.0.1", h.name, 1)}
	if h.polls {
		tt.query = "&polls=1"
	}
	return tt
}

// add opens n more tabs at the same moment.
func (tt *tabs) add(t *testing.T, n int) {
	t.Helper()
	before := len(tt.open)
	for range n {
		tt.open = append(tt.open, tt.first.openTab(t, "about:blank"))
	}
	opened := make(chan error, n)
	for i, tab := range tt.open[before:] {
		url := fmt.Sprintf("%s/tab.html?ids=all,only-%d%s", tt.url, before+i, tt.query)
		go func() { opened <- tab.pageDriver.navigate(url) }()
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

// wantStamp waits until the tabs have the event's last stamp. A new file may get two stamps in quick
// succession, so each attempt reads the stamp of the file.
func wantStamp(t *testing.T, site *launch.Site, id string, tabs ...*window) {
	t.Helper()
	for i, tab := range tabs {
		eventuallyWithin(t, 2*patience, func() error { // Timers of hidden tabs fire once a minute.
			want := stampOf(t, site, id)
			if got := evaluate[string](t, tab, fmt.Sprintf("stamps[%q] ?? ''", id)); got != want {
				return fmt.Errorf("tab %d of %d has the stamp %q of %s, want %s", i+1, len(tabs), got, id, want)
			}
			return nil
		})
	}
}

// wantNoError checks that no tab has reported an error.
func wantNoError(t *testing.T, tabs ...*window) {
	t.Helper()
	for i, tab := range tabs {
		if states := evaluate[string](t, tab, "states.join()"); states != "open" {
			t.Errorf("tab %d of %d had the states %s, want open", i+1, len(tabs), states)
		}
	}
}

// wantOneRequest waits until exactly one poll or stream has waited at the server for 2 s.
func (tt *tabs) wantOneRequest(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for since := time.Now(); time.Since(since) < 2*time.Second; time.Sleep(20 * time.Millisecond) {
		n := waitingRequests(t, tt.site)
		if n == 1 {
			continue
		}
		since = time.Now()
		if since.After(deadline) {
			t.Fatalf("%d requests wait for %d tabs, want 1", n, len(tt.open))
		}
	}
}

// removeLeader removes the leader, which is the tab that sends requests, from the open tabs, and returns it.
func (tt *tabs) removeLeader(t *testing.T) (leader *window) {
	t.Helper()
	eventually(t, func() error {
		for i, tab := range tt.open {
			if evaluate[int](t, tab, "inFlight") > 0 {
				tt.open = append(tt.open[:i:i], tt.open[i+1:]...)
				leader = tab
				return nil
			}
		}
		return errors.New("no tab has an open request")
	})
	return leader
}

func (tt *tabs) publish(t *testing.T, id string) {
	t.Helper()
	publish(t, tt.site, id)
}

func TestTabs_ShareOneRequest(t *testing.T) {
	forEachHost(t, hosts, func(t *testing.T, browser browser, h host) {
		tt := startTabs(t, browser, h, 12) // A browser opens at most six connections to a server.
		if locks := evaluate[bool](t, tt.open[0], "!!navigator.locks"); locks != (h.name == "localhost") {
			t.Fatalf("%s has Web Locks: %v", tt.url, locks)
		}
		tt.wantOneRequest(t)
		for range 3 {
			tt.publish(t, "all")
			wantStamp(t, tt.site, "all", tt.open...)
		}
		for i, tab := range tt.open {
			tt.publish(t, fmt.Sprintf("only-%d", i))
			wantStamp(t, tt.site, fmt.Sprintf("only-%d", i), tab)
		}
		if ids := evaluate[string](t, tt.open[3], "Object.keys(stamps).sort().join()"); ids != "all,only-3" {
			t.Errorf("tab 3 got the events %s, want all,only-3", ids)
		}
		tt.wantOneRequest(t)

		// Each time the leader is closed, another tab leads.
		for range 3 {
			tt.removeLeader(t).close(t)
			tt.publish(t, "all")
			wantStamp(t, tt.site, "all", tt.open...)
		}
		tt.wantOneRequest(t)
	}, chromium, firefox, webKit)
}

func TestTabs_OpenedTogetherShareOneRequest(t *testing.T) {
	forEachHost(t, hosts[:2], func(t *testing.T, browser browser, h host) {
		tt := startTabs(t, browser, h, 2)
		for range 3 {
			tt.wantOneRequest(t)
			tt.publish(t, "all")
			wantStamp(t, tt.site, "all", tt.open...)
			for _, tab := range tt.open {
				tab.close(t)
			}
			tt.open = nil
			tt.add(t, 2)
		}
		tt.wantOneRequest(t)
	}, chromium, firefox)
}

func TestTabs_GetEventsOfLateSubscription(t *testing.T) {
	forEachHost(t, hosts, func(t *testing.T, browser browser, h host) {
		tt := startTabs(t, browser, h, 2)
		tt.publish(t, "late")
		tt.add(t, 1)
		late := tt.open[2]
		evaluate[bool](t, late, `follow("late"), true`)
		late.waitUntil(t, `NovComet.last("late") > 0`) // The leader has subscribed to it, too.
		tt.publish(t, "late")
		wantStamp(t, tt.site, "late", late)
		tt.wantOneRequest(t)

		// After a stop, a tab gets what was published meanwhile.
		evaluate[bool](t, late, "NovComet.stop(), true")
		tt.publish(t, "all")
		wantStamp(t, tt.site, "all", tt.open[:2]...)
		tt.publish(t, "late")
		evaluate[bool](t, late, "NovComet.run(), true")
		wantStamp(t, tt.site, "all", late)
		wantStamp(t, tt.site, "late", late)
	}, chromium, firefox)
}

func TestTabs_WithDifferentEndpointsAreSeparate(t *testing.T) {
	site := startPages(t)
	browser := startBrowser(t)
	var open []*window
	for _, endpoint := range []string{"/comet.php?site=1", "/comet.php?site=2"} {
		tab := openWindow(t, browser, site.URL+"/tab.html?ids=all&endpoint="+url.QueryEscape(endpoint))
		tab.waitUntil(t, `states.at(-1) === "open" && inFlight === 1`)
		open = append(open, tab)
	}
	publish(t, site, "all")
	wantStamp(t, site, "all", open...)
}

func TestTabs_WorkAloneWhereSharingIsRefused(t *testing.T) {
	forEachHost(t, hosts[:2], func(t *testing.T, browser browser, h host) {
		tt := startTabs(t, browser, h, 1)
		for _, refused := range []string{"channel", "storage", "locks", "channel,storage,locks"} {
			tt.query = "&refused=" + refused
			tt.add(t, 1)
		}
		tt.publish(t, "all")
		wantStamp(t, tt.site, "all", tt.open...)
		wantNoError(t, tt.open...)
	}, chromium, firefox, webKit)
}

func TestTabs_WorkAloneWithoutCookies(t *testing.T) {
	tt := startTabs(t, startFirefox(t, "network.cookie.cookieBehavior", 2), hosts[0], 2)
	const script = `(() => { try { new BroadcastChannel("any"); } catch (error) { return error.name; } return "none"; })()`
	if got := evaluate[string](t, tt.open[0], script); got != "SecurityError" {
		t.Fatalf("Firefox creates a BroadcastChannel with the error %s, want SecurityError", got)
	}
	tt.publish(t, "all")
	wantStamp(t, tt.site, "all", tt.open...)
}
