package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"novcomet/examples/internal/launch"
)

// Nothing but what every browser brings: no script of NovComet's.
func TestAPlainEventSourceMissesNothing(t *testing.T) {
	site := launchPages(t, launch.Options{Server: launch.Nginx, HoldSocket: true})
	w := openWindow(t, startBrowser(t), site.URL+"/empty.html")
	names := []string{"plain", "with spaces  and: colon", "Grüße, 世界", "7", "__proto__"}
	evaluate[bool](t, w, fmt.Sprintf(`(async (names) => {
		window.got = [];
		const query = new URLSearchParams([...names.map((name) => ["subscribed[" + name + "]", "now"]), ["data", "1"]]);
		window.source = new EventSource("/comet.php?" + query);
		for (const name of names) source.addEventListener(name, (event) => got.push(Object.values(JSON.parse(event.data).d)[0]));
		await new Promise((open) => { source.onopen = open; });
		return true;
	})(%s)`, `["`+strings.Join(names, `", "`)+`"]`))
	const events, down = 50, 20
	for i := 0; i < events; i++ {
		switch i {
		case down:
			if err := site.StopDaemon(); err != nil {
				t.Fatal(err)
			}
		case down + len(names): // one of each was published meanwhile
			if err := site.StartDaemon(t.Context()); err != nil {
				t.Fatal(err)
			}
			for missed := down; missed < i; missed++ {
				w.waitUntil(t, fmt.Sprintf("got.includes(%d)", missed))
			}
		}
		write(t, site, names[i%len(names)], fmt.Sprint(i))
		if i < down || i >= down+len(names) { // The next one of the same name would take its place.
			w.waitUntil(t, fmt.Sprintf("got.includes(%d)", i))
		}
	}
	if got := evaluate[int](t, w, "new Set(got).size"); got != events {
		t.Errorf("it was told of %d events, want %d", got, events)
	}
	evaluate[bool](t, w, "source.close(), true")
}
