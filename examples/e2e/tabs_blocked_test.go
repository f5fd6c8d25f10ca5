package e2e_test

import (
	"fmt"
	"testing"
)

// A tab that was blocked (alert, debugger) still has old answers to pass on.
func TestTabs_IgnoreOldEventsOfBlockedLeader(t *testing.T) {
	forEachHost(t, hosts[:2], func(t *testing.T, browser browser, h host) {
		tt := startTabs(t, browser, h, 3)
		tt.publish(t, "all")
		wantStamp(t, tt.site, "all", tt.open...)
		tt.wantOneRequest(t)
		blocked := tt.removeLeader(t)
		for _, tab := range tt.open {
			evaluate[bool](t, tab, `NovComet.subscribe("all", () => (window.calls ??= []).push(NovComet.last("all"))) && true`)
		}
		evaluate[int](t, blocked, `setTimeout(() => {
			for (const start = performance.now(); performance.now() - start < 30000;);
			window.unblocked = true;
		}, 100)`)
		for range 3 { // The blocked tab receives these, or none, but does not pass them on now.
			tt.publish(t, "all")
		}
		wantStamp(t, tt.site, "all", tt.open...) // Another tab leads.
		tt.publish(t, "all")
		wantStamp(t, tt.site, "all", tt.open...)
		blocked.waitUntil(t, "window.unblocked === true")
		wantStamp(t, tt.site, "all", blocked)
		tt.publish(t, "all")
		wantStamp(t, tt.site, "all", append(tt.open, blocked)...)
		for i, tab := range tt.open {
			const script = `calls.some((call, i) => i > 0 && call <= calls[i - 1]) ? calls.join() : ""`
			if calls := evaluate[string](t, tab, script); calls != "" {
				t.Errorf("tab %d got old events: %s", i+1, fmt.Sprint(calls))
			}
		}
	}, chromium, firefox)
}
