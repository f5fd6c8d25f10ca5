package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"novcomet/examples/internal/launch"
)

func TestEveryServer_KeepsContracts(t *testing.T) {
	for _, server := range launch.Servers() {
		t.Run(string(server), func(t *testing.T) {
			t.Parallel()
			site := launchSite(t, launch.Options{Server: server, Settings: longPolls, Extra: rewriting[server]})
			for _, contract := range contracts {
				t.Run(contract.name, func(t *testing.T) { contract.test(t, site) })
			}
		})
	}
}

func TestEveryServer_EndsUnchangedPoll(t *testing.T) {
	const wait = 500 * time.Millisecond
	o := launch.Options{Settings: map[string]string{"tries": "5", "sleep": "0.1"}}
	forEachServer(t, launch.Servers(), o, func(t *testing.T, site *launch.Site) {
		precise := sendQuery(t, site, "subscribed[never]=0.000000")
		legacy := sendQuery(t, site, fmt.Sprintf("subscribed[never]=%d", time.Now().Unix()))
		for _, poll := range []struct {
			answers <-chan answer
			body    string
		}{
			{precise, `{"s":0,"at":{"never":"0.000000"}}`},
			{legacy, `{"s":0}`},
		} {
			a := receive(t, poll.answers)
			wantBody(t, a, poll.body)
			if a.took < wait {
				t.Errorf("%s after %v, want at least tries × sleep, %v", a.body, a.took, wait)
			}
		}
	})
}

// The default time-out of the servers is 60 s, of mod_fcgid 40 s. The example files raise it.
func TestEveryServer_AllowsWaitOf65Seconds(t *testing.T) {
	t.Parallel()
	o := launch.Options{Settings: map[string]string{"tries": "65", "sleep": "1"}}
	forEachServer(t, launch.Servers(), o, func(t *testing.T, site *launch.Site) {
		a := receiveWithin(t, 65*time.Second+patience, sendQuery(t, site, "subscribed[never]=0.000000"))
		wantBody(t, a, `{"s":0,"at":{"never":"0.000000"}}`)
	})
}
