package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"novcomet/examples/internal/launch"
)

// nginx.conf for 10,000 browsers and two workers: examples/nginx/comet.conf and fcgi/README.md say 20,000 for each.
const connectionsForEachBrowser = 2

func TestNginxAsSizedInTheTextsLosesNoPollOfABurst(t *testing.T) {
	const browsers = 2000
	site, lost := burst(t, browsers, connectionsForEachBrowser*browsers)
	if lost != 0 || strings.Contains(site.Log(), notEnough) {
		t.Errorf("%d of %d polls were closed without an answer", lost, browsers)
	}
	for _, text := range []string{shipped(t, "nginx", "comet.conf"), shipped(t, "..", "fcgi", "README.md")} {
		if !strings.Contains(text, "worker_connections 20000") || !strings.Contains(text, notEnough) {
			t.Error("a text does not have these numbers, or not the words of nginx")
		}
	}
}

// It shows that the test above can fail, and what nginx logs then.
func TestNginxWithTooFewConnectionsLosesPollsAndSaysSo(t *testing.T) {
	const browsers = 500
	site, lost := burst(t, browsers, browsers/2)
	if lost == 0 || !strings.Contains(site.Log(), notEnough) {
		t.Errorf("%d of %d polls were lost; nginx says: %s", lost, browsers, site.Log())
	}
}

const notEnough = "worker_connections are not enough"

// burst sends as many polls at the same time as there are browsers, and returns how many got no answer.
func burst(t *testing.T, browsers, connections int) (site *launch.Site, lost int) {
	t.Helper()
	site = launchSite(t, launch.Options{
		Server: launch.Nginx, WorkerConnections: connections, Settings: map[string]string{"tries": "60", "sleep": "1", "max_waiting": "10000"},
	})
	var replies []<-chan reply
	for range browsers {
		replies = append(replies, asking(request(t, http.MethodGet, site.URL+"/comet.php?subscribed[a]=0.000000", "")))
	}
	waits := func() bool { return waitingRequests(t, site) >= browsers }
	for late := time.Now().Add(patience); !waits() && !strings.Contains(site.Log(), notEnough) && time.Now().Before(late); {
		time.Sleep(50 * time.Millisecond)
	}
	touch(t, eventFile(site, "a"))
	late := time.After(2 * patience)
	for _, r := range replies {
		select {
		case r := <-r:
			if r.err != nil || r.status != http.StatusOK {
				lost++
			}
		case <-late:
			t.Fatal("a poll got neither an answer nor an end")
		}
	}
	return site, lost
}
