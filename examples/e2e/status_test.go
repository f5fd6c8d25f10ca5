package e2e_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"novcomet/examples/internal/launch"
)

const statusBlock = "Metrics for this machine only"

// The status location that the shipped files show as a comment, as it stands.
func TestTheShippedStatusLocationShowsFigures(t *testing.T) {
	for _, server := range []launch.Server{launch.Nginx, launch.ApacheProxy} {
		t.Run(string(server), func(t *testing.T) {
			t.Parallel()
			site := launchSite(t, launch.Options{Server: server, Blocks: []string{statusBlock}, Settings: map[string]string{"tries": "600", "sleep": "0.1"}})
			wantBody(t, within(t, patience, polling(t, site, "publish=a")), "true")
			stillWaits(t, polling(t, site, "subscribed[b]=now"))

			status, body := figures(t, site, "", "*/*")
			var f struct {
				Program                       string
				Waiting, Events, Publications int
			}
			if err := json.Unmarshal([]byte(body), &f); err != nil || status != http.StatusOK || f.Program != "comet-fcgi" || f.Waiting != 1 || f.Events != 1 || f.Publications != 1 {
				t.Errorf("HTTP %d %s", status, body)
			}
			if status, body = figures(t, site, "", "text/plain;version=0.0.4"); status != http.StatusOK || !strings.Contains(body, "\nnovcomet_waiting 1\n") {
				t.Errorf("for Prometheus: HTTP %d %s", status, body)
			}
			if server != launch.Nginx {
				return // "Require local" is all of 127.0.0.0/8.
			}
			if status, body = figures(t, site, "127.0.0.2", "*/*"); status != http.StatusForbidden {
				t.Errorf("from elsewhere: HTTP %d %s", status, body)
			}
		})
	}
}

// figures asks from this address for the site's.
func figures(t *testing.T, site *launch.Site, from, accept string) (status int, body string) {
	t.Helper()
	dialer := &net.Dialer{Timeout: patience}
	if from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
	r := request(t, http.MethodGet, site.URL+"/comet-status?publish=c&subscribed[a]=now", "")
	r.Header.Set("Accept", accept)
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}
