package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"novcomet/examples/internal/launch"
)

// The page uses the browser's EventSource, and no script of NovComet.
func TestEventSource_MissesNothing(t *testing.T) {
	site := launchPages(t, launch.Options{Server: launch.Nginx, HoldSocket: true})
	w := openWindow(t, startBrowser(t), site.URL+"/empty.html")
	names := []string{"plain", "with spaces  and: colon", "Grüße, 世界", "7", "__proto__"}
	evaluate[bool](t, w, fmt.Sprintf(`(async (names) => {
		window.got = [];
		const query = new URLSearchParams([...names.map((name) => ["subscribed[" + name + "]", "now"]), ["data", "1"]]);
		window.source = new EventSource("/comet.php?" + query);
		for (const name of names) {
			source.addEventListener(name, (event) => got.push(Object.values(JSON.parse(event.data).d)[0]));
		}
		await new Promise((open) => { source.onopen = open; });
		return true;
	})(%s)`, `["`+strings.Join(names, `", "`)+`"]`))
	const publications, down = 50, 20
	for i := range publications {
		switch i {
		case down:
			stopDaemon(t, site)
		case down + len(names): // Each event was published once meanwhile.
			startDaemon(t, site)
			for missed := down; missed < i; missed++ {
				w.waitUntil(t, fmt.Sprintf("got.includes(%d)", missed))
			}
		}
		write(t, site, names[i%len(names)], fmt.Sprint(i))
		if i < down || i >= down+len(names) { // The next publication of the same event may replace it.
			w.waitUntil(t, fmt.Sprintf("got.includes(%d)", i))
		}
	}
	if got := evaluate[int](t, w, "new Set(got).size"); got != publications {
		t.Errorf("the page got %d publications, want %d", got, publications)
	}
	evaluate[bool](t, w, "source.close(), true")
}
