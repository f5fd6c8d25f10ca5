package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"novcomet/examples/internal/launch"
)

// For 10,000 browsers, the texts advise 20,000 connections in each of two workers of nginx.
const connectionsForEachBrowser = 2

// notEnough is what nginx logs when it has too few connections.
const notEnough = "worker_connections are not enough"

func TestNginx_WithDocumentedConnectionsLosesNoPollOfBurst(t *testing.T) {
	const browsers = 2000
	site, lost := sendBurst(t, browsers, connectionsForEachBrowser*browsers)
	if lost != 0 || strings.Contains(site.Log(), notEnough) {
		t.Errorf("%d of %d polls were closed without an answer", lost, browsers)
	}
	for _, text := range []string{example(t, "nginx", "comet.conf"), example(t, "..", "fcgi", "README.md")} {
		if !strings.Contains(text, "worker_connections 20000") || !strings.Contains(text, notEnough) {
			t.Errorf("a text does not contain worker_connections 20000, or not %q", notEnough)
		}
	}
}

// This test shows that the test above can fail, and what nginx logs then.
func TestNginx_WithTooFewConnectionsLosesPollsAndLogsIt(t *testing.T) {
	const browsers = 500
	site, lost := sendBurst(t, browsers, browsers/2)
	if lost == 0 || !strings.Contains(site.Log(), notEnough) {
		t.Errorf("%d of %d polls were lost; the log of nginx: %s", lost, browsers, site.Log())
	}
}

// sendBurst sends one poll for each browser, all at the same time. It returns how many got no answer.
func sendBurst(t *testing.T, browsers, connections int) (site *launch.Site, lost int) {
	t.Helper()
	site = launchSite(t, launch.Options{
		Server: launch.Nginx, WorkerConnections: connections,
		Settings: map[string]string{"tries": "60", "sleep": "1", "max_waiting": "10000"},
	})
	var polls []<-chan answer
	for range browsers {
		polls = append(polls, sendQuery(t, site, "subscribed[a]=0.000000"))
	}
	eventually(t, func() error {
		if n := countConnections(t, site); n < browsers && !strings.Contains(site.Log(), notEnough) {
			return fmt.Errorf("%d of %d polls wait", n, browsers)
		}
		return nil
	})
	touch(t, eventFile(site, "a"))
	late := time.After(2 * patience)
	for _, poll := range polls {
		select {
		case a := <-poll:
			if a.err != nil || a.status != http.StatusOK {
				lost++
			}
		case <-late:
			t.Fatal("a poll got no answer, and its connection stays open")
		}
	}
	return site, lost
}

// Each browser waits in one of two processes. A publication reaches all browsers. No request fails while one
// of the processes is stopped.
func TestNginx_WithTwoProcessesServesAsWithOne(t *testing.T) {
	t.Parallel()
	site := launchSite(t, launch.Options{Server: launch.NginxBoth, Settings: longPolls})
	const browsers = 20
	sendPolls := func() (polls []<-chan answer) {
		for range browsers {
			polls = append(polls, sendQuery(t, site, "subscribed[news]=0.000000"))
		}
		return polls
	}
	wantPublication := func(a answer) {
		t.Helper()
		if a.status != 200 || !strings.HasPrefix(a.body, `{"s":1,"k":{"news":`) {
			t.Errorf("HTTP %d %s", a.status, a.body)
		}
	}
	before := sendPolls()
	wantConnections(t, site, browsers)
	stopDaemon(t, site)
	meanwhile := sendPolls()
	touch(t, eventFile(site, "news"))
	ended := 0
	for _, poll := range before {
		if a := receive(t, poll); strings.HasPrefix(a.body, `{"s":0,`) {
			ended++
		} else {
			wantPublication(a)
		}
	}
	if ended == 0 || ended == len(before) {
		t.Errorf("%d of %d polls waited in the process that was stopped; want a part", ended, len(before))
	}
	for _, poll := range meanwhile {
		wantPublication(receive(t, poll))
	}
	startDaemon(t, site)
	publish(t, site, "by-url")
}

// comet-several.conf has a status location for each process as a comment.
func TestNginx_ShowsStatusOfEachProcess(t *testing.T) {
	t.Parallel()
	site := launchSite(t, launch.Options{
		Server: launch.NginxBoth, Settings: longPolls, Blocks: []string{"Metrics of each process"},
		Replace: map[string]string{"127.0.0.1:9180": "unix:{dir}/status.sock"},
	})
	const browsers = 20
	for range browsers {
		sendQuery(t, site, "subscribed[news]=now")
	}
	wantConnections(t, site, browsers)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		socket := filepath.Join(filepath.Dir(site.Events), "status.sock")
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial}}
	paths := []string{"/comet-status-1", "/comet-status-2"}
	count := func(path string) int {
		response, err := client.Do(newRequest(t, http.MethodGet, "http://localhost"+path, ""))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var process struct{ Waiting int }
		if err := json.NewDecoder(response.Body).Decode(&process); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return process.Waiting
	}
	for range 3 { // Behind an upstream, each request would show another process.
		eventually(t, func() error {
			if one, two := count(paths[0]), count(paths[1]); one == 0 || two == 0 || one+two != browsers {
				return fmt.Errorf("%d and %d wait; want a part of %d in each process", one, two, browsers)
			}
			return nil
		})
	}
	manual := example(t, "..", "fcgi", "README.md")
	for _, path := range paths {
		if !strings.Contains(manual, "localhost:9180\"], labels: { __metrics_path__: "+path) {
			t.Errorf("the scrape_config of fcgi/README.md does not have %s", path)
		}
	}
}
