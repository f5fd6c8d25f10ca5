package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
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

func TestTabs_ShareAgainWhenServerNoLongerRefuses(t *testing.T) {
	forEachBrowser(t, func(t *testing.T, browser browser) {
		var refused atomic.Value // the ids that the server refuses together
		var waiting atomic.Int32
		var last atomic.Value // the events of the last request that waits
		server := fakeServer(t, func(w http.ResponseWriter, r *http.Request) {
			if r.ParseForm() != nil {
				return
			}
			var at []string
			bad := strings.Split(refused.Load().(string), ",")
			for _, id := range []string{"news", "first", "second"} {
				if r.Form.Has("subscribed[" + id + "]") {
					at = append(at, fmt.Sprintf("%q:%q", id, "1.000000"))
				}
			}
			together := true
			for _, id := range bad {
				together = together && r.Form.Has("subscribed["+id+"]")
			}
			switch {
			case together:
				http.Error(w, `{"error":"refused"}`, http.StatusForbidden)
			case r.Form.Get("wait") == "0":
				fmt.Fprintf(w, `{"s":0,"at":{%s}}`, strings.Join(at, ","))
			default:
				last.Store(strings.Join(at, ","))
				waiting.Add(1)
				waitForClientToLeave(r)
				waiting.Add(-1)
			}
		})
		wantWaiting := func(want int32, id string) {
			t.Helper()
			eventually(t, func() error {
				if n, events := waiting.Load(), last.Load().(string); n != want || !strings.Contains(events, id) {
					return fmt.Errorf("%d requests wait, the last one for %s; want %d, for %s, too", n, events, want, id)
				}
				return nil
			})
		}

		refused.Store("first")
		news := openPrivate(t, browser, server.URL+"/tab.html?ids=news&polls=1")
		news.waitUntil(t, `states.at(-1) === "open"`)
		first := news.openTab(t, server.URL+"/tab.html?ids=news,first&polls=1")
		first.waitUntil(t, `states.at(-1) === "error"`)
		refused.Store("first,second")
		first.waitUntil(t, `states.at(-1) === "open"`)
		wantWaiting(1, `"first"`)

		// A tab that is refused only together with others tries again after some minutes.
		second := news.openTab(t, server.URL+"/tab.html?ids=second&polls=1")
		second.waitUntil(t, `states.at(-1) === "open"`)
		wantWaiting(2, "")
		refused.Store("none")
		evaluate[bool](t, second, `(() => {
			const now = performance.now.bind(performance);
			performance.now = () => now() + 301000;
			return dispatchEvent(new Event("online"));
		})()`)
		wantWaiting(1, `"news":"1.000000","first":"1.000000","second"`)
		wantNoError(t, news, second)
	}, chromium, firefox)
}
