package e2e_test

import (
	"errors"
	"os"
	"testing"
	"time"
)

// recordCalls makes the tabs remember the stamps of all calls.
func (tt *tabs) recordCalls(t *testing.T) {
	t.Helper()
	for _, tab := range tt.open {
		evaluate[bool](t, tab, `NovComet.subscribe("all", () => (window.calls ??= []).push(NovComet.last("all"))) && true`)
	}
}

// wantNoOldCalls checks that each call had a later stamp than the one before.
func (tt *tabs) wantNoOldCalls(t *testing.T) {
	t.Helper()
	for i, tab := range tt.open {
		const script = `calls.some((call, i) => i > 0 && call <= calls[i - 1]) ? calls.join() : ""`
		if calls := evaluate[string](t, tab, script); calls != "" {
			t.Errorf("tab %d was called with the stamps %s", i+1, calls)
		}
	}
}

// The browser blocks a page during an alert, for example. Later the page passes on what it had received.
func TestTabs_IgnoreOldEventsOfBlockedLeader(t *testing.T) {
	tt := startTabs(t, startBrowser(t), hosts[0], 3)
	tt.publish(t, "all")
	wantStamp(t, tt.site, "all", tt.open...)
	tt.wantOneStream(t)
	blocked := tt.removeLeader(t)
	tt.recordCalls(t)
	evaluate[bool](t, blocked, `(() => {
		const { port1, port2 } = new MessageChannel(); // Timers of hidden tabs are late.
		port1.onmessage = () => {
			for (const start = performance.now(); performance.now() - start < 30000;);
			localStorage.unblocked = "yes";
		};
		port2.postMessage("block");
		return true;
	})()`)
	for range 3 {
		tt.publish(t, "all")
	}
	wantStamp(t, tt.site, "all", tt.open...) // Another tab leads.
	tt.publish(t, "all")
	wantStamp(t, tt.site, "all", tt.open...)
	eventuallyWithin(t, 2*patience, func() error {
		if !evaluate[bool](t, tt.open[0], `localStorage.unblocked === "yes"`) {
			return errors.New("the tab is still blocked")
		}
		return nil
	})
	tt.publish(t, "all")
	wantStamp(t, tt.site, "all", append(tt.open, blocked)...)
	tt.wantNoOldCalls(t)
}

// The page of another client repeats all messages of the leader in the wrong order.
func TestTabs_IgnoreOldMessages(t *testing.T) {
	forEachHost(t, hosts[:2], func(t *testing.T, browser browser, h host) {
		tt := startTabs(t, browser, h, 3)
		tt.publish(t, "all")
		wantStamp(t, tt.site, "all", tt.open...)
		tt.recordCalls(t)
		other := tt.first.openTab(t, tt.url+"/empty.html")
		evaluate[bool](t, other, `(() => {
			window.channel = new BroadcastChannel("novcomet 3 " + location.origin + "/comet.php");
			window.messages = [];
			channel.onmessage = ({ data }) => data.at && messages.push(data);
			return true;
		})()`)
		for range 3 {
			tt.publish(t, "all")
			wantStamp(t, tt.site, "all", tt.open...)
		}
		other.waitUntil(t, "messages.length >= 3")
		evaluate[bool](t, other, `(messages.reverse().forEach((message) => channel.postMessage(message)), true)`)
		tt.publish(t, "all")
		wantStamp(t, tt.site, "all", tt.open...)
		tt.wantNoOldCalls(t)
	}, chromium, firefox)
}

// A file may be restored, or moved into place, with its old time. The tabs must not take this for an old
// message, and must not ask again and again.
func TestTabs_GetEventWithOlderStamp(t *testing.T) {
	forEachHost(t, []host{hosts[0], hosts[2]}, func(t *testing.T, browser browser, h host) {
		site := startPages(t)
		tt := startDataTabs(t, site, browser, h)
		file := eventFile(site, "all")
		touch(t, file)
		wantStamp(t, site, "all", tt.open...)
		before := countRequests(t, tt.open, "true")
		old := time.Now().Add(-time.Hour)
		if err := errors.Join(
			os.WriteFile(file+".old", []byte(`{"n":"old"}`), 0o644),
			os.Chtimes(file+".old", old, old),
			os.Rename(file+".old", file),
		); err != nil {
			t.Fatal(err)
		}
		wantStamp(t, site, "all", tt.open...)
		for _, tab := range tt.open[1:] {
			tab.waitUntil(t, `data.all.n === "old"`)
		}
		if n := countRequests(t, tt.open, "true") - before; n > 10 {
			t.Errorf("the tabs sent %d requests", n)
		}
		touch(t, file)
		wantStamp(t, site, "all", tt.open...)
	}, chromium, firefox)
}
