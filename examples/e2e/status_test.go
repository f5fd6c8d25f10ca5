package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"novcomet/examples/internal/launch"
)

// metrics is the block of the example files with a status location.
const metrics = "Metrics for this machine only"

func TestStatus_ShowsMetricsToThisMachineOnly(t *testing.T) {
	o := launch.Options{Blocks: []string{metrics}, Settings: longPolls}
	for _, server := range []launch.Server{launch.Nginx, launch.ApacheProxy} {
		forEachServer(t, []launch.Server{server}, o, func(t *testing.T, site *launch.Site) {
			publish(t, site, "a")
			sendQuery(t, site, "subscribed[b]=now")
			eventually(t, func() error {
				if n := waitingRequests(t, site); n != 1 {
					return fmt.Errorf("%d requests wait", n)
				}
				return nil
			})

			status, body := getStatus(t, site, "", "*/*")
			var got, want struct {
				Program                       string
				Waiting, Events, Publications int
			}
			want.Program, want.Waiting, want.Events, want.Publications = "comet-fcgi", 1, 1, 1
			err := json.Unmarshal([]byte(body), &got)
			if err != nil || status != http.StatusOK || got != want {
				t.Errorf("HTTP %d %s, want %+v", status, body, want)
			}
			status, body = getStatus(t, site, "", "text/plain;version=0.0.4")
			if status != http.StatusOK || !strings.Contains(body, "\nnovcomet_waiting 1\n") {
				t.Errorf("for Prometheus: HTTP %d %s", status, body)
			}
			if server != launch.Nginx {
				return // Apache's "Require local" allows 127.0.0.0/8, so that no other address can be tried.
			}
			if status, body = getStatus(t, site, "127.0.0.2", "*/*"); status != http.StatusForbidden {
				t.Errorf("from another address: HTTP %d %s", status, body)
			}
		})
	}
}

// getStatus requests the status location from a local address.
func getStatus(t *testing.T, site *launch.Site, from, accept string) (status int, body string) {
	t.Helper()
	dialer := &net.Dialer{Timeout: patience}
	if from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}
	client := &http.Client{Timeout: patience, Transport: transport}
	r := newRequest(t, http.MethodGet, site.URL+"/comet-status?publish=c&subscribed[a]=now", "")
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

// waitingRequests returns how many polls and streams wait. The site needs the block metrics.
func waitingRequests(t *testing.T, site *launch.Site) int {
	t.Helper()
	_, body := getStatus(t, site, "", "*/*")
	var status struct{ Waiting *int }
	if err := json.Unmarshal([]byte(body), &status); err != nil || status.Waiting == nil {
		t.Fatalf("%s: %v", body, err)
	}
	return *status.Waiting
}
