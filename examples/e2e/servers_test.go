package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"novcomet/examples/internal/launch"
)

func TestEveryServer(t *testing.T) {
	for _, server := range launch.Servers() {
		t.Run(string(server), func(t *testing.T) {
			t.Parallel()
			site := launchSite(t, launch.Options{
				Server:   server,
				Settings: map[string]string{"tries": "600", "sleep": "0.1"},
				Extra:    rewriting[server],
			})
			for _, contract := range contracts {
				t.Run(contract.name, func(t *testing.T) { contract.hold(t, site) })
			}
		})
	}
}

func TestUnchangedPollEndsUnderEveryServer(t *testing.T) {
	const wait = 500 * time.Millisecond
	for _, server := range launch.Servers() {
		t.Run(string(server), func(t *testing.T) {
			t.Parallel()
			site := launchSite(t, launch.Options{Server: server, Settings: map[string]string{"tries": "5", "sleep": "0.1"}})
			precise := polling(t, site, "subscribed[never]=0.000000")
			wholeSecond := polling(t, site, fmt.Sprintf("subscribed[never]=%d", time.Now().Unix()))
			for _, poll := range []struct {
				replies <-chan reply
				body    string
			}{
				{precise, `{"s":0,"at":{"never":"0.000000"}}`},
				{wholeSecond, `{"s":0}`},
			} {
				r := within(t, patience, poll.replies)
				wantBody(t, r, poll.body)
				if r.took < wait {
					t.Errorf("%s after %v, want tries × sleep, %v, at least", r.body, r.took, wait)
				}
			}
		})
	}
}

// The settings that each shipped file shows as a comment, tries 10 and sleep 500ms, are put into force as they stand.
func TestShippedSettingsOfALocationCount(t *testing.T) {
	const wait = 5 * time.Second
	for _, server := range launch.Servers() {
		t.Run(string(server), func(t *testing.T) {
			t.Parallel()
			site := launchSite(t, launch.Options{
				Server: server, Blocks: []string{"Settings of this location"}, Settings: map[string]string{"tries": "1", "sleep": "0.1"},
			})
			r := within(t, patience, polling(t, site, "subscribed[never]=0.000000"))
			wantBody(t, r, `{"s":0,"at":{"never":"0.000000"}}`)
			if r.took < wait {
				t.Errorf("the poll ended after %v, want %v", r.took, wait)
			}
		})
	}
}

// The servers' own time-outs are 60 s, mod_fcgid's 40 s: the shipped files must have raised them.
func TestShippedTimeoutsAllowAWaitOf65Seconds(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 65 s")
	}
	for _, server := range launch.Servers() {
		t.Run(string(server), func(t *testing.T) {
			t.Parallel()
			site := launchSite(t, launch.Options{Server: server, Settings: map[string]string{"tries": "65", "sleep": "1"}})
			r := within(t, 65*time.Second+patience, polling(t, site, "subscribed[never]=0.000000"))
			wantBody(t, r, `{"s":0,"at":{"never":"0.000000"}}`)
		})
	}
}
