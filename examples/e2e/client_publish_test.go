package e2e_test

import (
	"encoding/json"
	"fmt"
	"testing"
)

func TestClient_ReportsReasonOfRefusedPublication(t *testing.T) {
	site := startPages(t)
	w := openWindow(t, startBrowser(t), site.URL+"/empty.html")
	var refusal struct{ Error string }
	a := query(t, site, "publish=../news")
	if err := json.Unmarshal([]byte(a.body), &refusal); err != nil || refusal.Error == "" {
		t.Fatalf("the endpoint gives no reason: %s", a.body)
	}
	got := evaluate[string](t, w, `client().then((comet) => comet.publish("../news"))
		.then(() => "published", (error) => error.message)`)
	if got != refusal.Error {
		t.Errorf("got %q, want %q", got, refusal.Error)
	}
}

// A link may publish, and then the browser goes to the next page at once. It ends the requests of the page,
// Firefox almost always and WebKit at times.
func TestClient_PublishesWhilePageIsLeft(t *testing.T) {
	forEachBrowser(t, func(t *testing.T, browser browser) {
		site := startPages(t)
		for i := range 5 {
			w := openWindow(t, browser, site.URL+"/empty.html")
			evaluate[bool](t, w, fmt.Sprintf(`client().then((comet) => {
				for (let n = 0; n < 6; n++) comet.publish("left-%d-" + n);
				location.assign("tab.html");
				return true;
			})`, i))
			for n := range 6 {
				id := fmt.Sprintf("left-%d-%d", i, n)
				eventually(t, func() error {
					if stampOf(t, site, id) == "" {
						return fmt.Errorf("%s was not published", id)
					}
					return nil
				})
			}
		}
	}, chromium, firefox, webKit)
}
