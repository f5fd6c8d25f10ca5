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

// The server refuses a whole request if one id is invalid.
func TestTabs_WithInvalidIDDoNotDisturbOthers(t *testing.T) {
	tt := startTabs(t, startBrowser(t), hosts[0], 2)
	bad := tt.first.openTab(t, tt.url+"/tab.html?ids=all,../bad")
	bad.waitUntil(t, `states.includes("error")`)
	tt.publish(t, "all")
	wantStamp(t, tt.site, "all", tt.open...)
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

// refusingServer is a fake server that refuses a request for certain events together.
type refusingServer struct {
	url     string
	refused atomic.Value // their ids
	waiting atomic.Int32 // requests
	last    atomic.Value // the events of the last request that waits
}

func startRefusingServer(t *testing.T, refused string) *refusingServer {
	t.Helper()
	s := new(refusingServer)
	s.refused.Store(refused)
	s.last.Store("")
	s.url = fakeServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ParseForm() != nil {
			return
		}
		var at []string
		for _, id := range []string{"news", "first", "second"} {
			if r.Form.Has("subscribed[" + id + "]") {
				at = append(at, fmt.Sprintf("%q:%q", id, "1.000000"))
			}
		}
		together := true
		for id := range strings.SplitSeq(s.refused.Load().(string), ",") {
			together = together && r.Form.Has("subscribed["+id+"]")
		}
		switch {
		case together:
			http.Error(w, `{"error":"refused"}`, http.StatusForbidden)
		case r.Form.Get("wait") == "0":
			fmt.Fprintf(w, `{"s":0,"at":{%s}}`, strings.Join(at, ","))
		default:
			s.last.Store(strings.Join(at, ","))
			s.waiting.Add(1)
			waitForClientToLeave(r)
			s.waiting.Add(-1)
		}
	}).URL
	return s
}

// wantWaiting waits until so many requests wait, the last one for the event id, too.
func (s *refusingServer) wantWaiting(t *testing.T, want int32, id string) {
	t.Helper()
	eventually(t, func() error {
		if n, events := s.waiting.Load(), s.last.Load().(string); n != want || !strings.Contains(events, id) {
			return fmt.Errorf("%d requests wait, the last one for %s; want %d, for %s, too", n, events, want, id)
		}
		return nil
	})
}

// openTab opens a tab that follows the events, in the profile of the others.
func (s *refusingServer) openTab(t *testing.T, first *window, ids string) *window {
	t.Helper()
	return first.openTab(t, s.url+"/tab.html?polls=1&ids="+ids)
}

func TestTabs_ShareAgainWhenServerNoLongerRefuses(t *testing.T) {
	forEachBrowser(t, func(t *testing.T, browser browser) {
		s := startRefusingServer(t, "first")
		news := openPrivate(t, browser, s.url+"/tab.html?ids=news&polls=1")
		news.waitUntil(t, `states.at(-1) === "open"`)
		first := s.openTab(t, news, "news,first")
		first.waitUntil(t, `states.at(-1) === "error"`)
		s.refused.Store("first,second")
		first.waitUntil(t, `states.at(-1) === "open"`)
		s.wantWaiting(t, 1, `"first"`)

		// A tab that is refused only together with others tries again after some minutes.
		second := s.openTab(t, news, "second")
		second.waitUntil(t, `states.at(-1) === "open"`)
		s.wantWaiting(t, 2, "")
		s.refused.Store("none")
		evaluate[bool](t, second, `(() => {
			const now = performance.now.bind(performance);
			performance.now = () => now() + 301000;
			return dispatchEvent(new Event("online"));
		})()`)
		s.wantWaiting(t, 1, `"news":"1.000000","first":"1.000000","second"`)
		wantNoError(t, news, second)
	}, chromium, firefox)
}

// The server may begin to refuse one tab, for example because a token has expired, when another one arrives.
func TestTabs_DoNotBlameNewTab(t *testing.T) {
	forEachBrowser(t, func(t *testing.T, browser browser) {
		s := startRefusingServer(t, "none")
		news := openPrivate(t, browser, s.url+"/tab.html?ids=news&polls=1")
		news.waitUntil(t, `states.at(-1) === "open"`)
		first := s.openTab(t, news, "first")
		first.waitUntil(t, `states.at(-1) === "open"`)
		s.wantWaiting(t, 1, `"first"`)
		s.refused.Store("first")
		second := s.openTab(t, news, "second")
		first.waitUntil(t, `states.at(-1) === "error"`)
		second.waitUntil(t, `states.at(-1) === "open"`)
		s.wantWaiting(t, 1, `"news":"1.000000","second"`)
		wantNoError(t, news, second)
	}, chromium, firefox)
}

func TestTabs_StopWhenServerNoLongerRefuses(t *testing.T) {
	forEachBrowser(t, func(t *testing.T, browser browser) {
		s := startRefusingServer(t, "first")
		news := openPrivate(t, browser, s.url+"/tab.html?ids=news&polls=1")
		news.waitUntil(t, `states.at(-1) === "open"`)
		first := s.openTab(t, news, "first")
		first.waitUntil(t, `states.at(-1) === "error"`)
		evaluate[bool](t, first, `NovComet.on("open", () => NovComet.stop()) && true`)
		s.refused.Store("none")
		first.waitUntil(t, `states.at(-1) === "close"`)
		if evaluate[int](t, first, `navigator.locks.query().then(({ pending }) => pending.length)`) > 0 {
			t.Error("the tab waits to lead after it has stopped")
		}
	}, chromium, firefox)
}
