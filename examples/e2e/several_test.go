package e2e_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"novcomet/examples/internal/launch"
)

// Each browser waits in one of two processes, and a publication reaches all of them; nobody is refused while one is down.
func TestTwoProcessesBehindNginxAreAsOne(t *testing.T) {
	t.Parallel()
	site := launchSite(t, launch.Options{Server: launch.NginxBoth, Settings: map[string]string{"tries": "600", "sleep": "0.1"}})
	crowd := func() (replies []<-chan reply) {
		for range 20 {
			replies = append(replies, polling(t, site, "subscribed[news]=now"))
		}
		stillWaits(t, replies[0])
		return replies
	}
	before := crowd()
	if err := site.StopDaemon(); err != nil {
		t.Fatal(err)
	}
	during := crowd()
	touch(t, filepath.Join(site.Events, "news.comet"))
	ended := 0
	for _, r := range before {
		if r := within(t, patience, r); strings.HasPrefix(r.body, `{"s":0,`) {
			ended++
		} else {
			wantPublication(t, r)
		}
	}
	if ended == 0 || ended == len(before) {
		t.Errorf("%d of %d waited in the process that was stopped", ended, len(before))
	}
	for _, r := range during {
		wantPublication(t, within(t, patience, r))
	}
	if err := site.StartDaemon(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantBody(t, within(t, patience, polling(t, site, "publish=by-url")), "true")
}

// The status locations that comet-several.conf shows as a comment, each with the socket of its own process.
func TestShippedBlockHasAStatusLocationForEachProcess(t *testing.T) {
	t.Parallel()
	const port = "127.0.0.1:9180"
	site := launchSite(t, launch.Options{
		Server: launch.NginxBoth, Blocks: []string{"Metrics of each process"}, Replace: map[string]string{port: "unix:{dir}/status.sock"},
		Settings: map[string]string{"tries": "600", "sleep": "0.1"},
	})
	const crowd = 20
	for range crowd {
		polling(t, site, "subscribed[news]=now")
	}
	for late := time.Now().Add(patience); waitingRequests(t, site) < crowd; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("%d of %d polls wait", waitingRequests(t, site), crowd)
		}
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(filepath.Dir(site.Events), "status.sock"))
	}}}
	for range 3 { // They do not jump.
		sum := 0
		for _, path := range []string{"/comet-status-1", "/comet-status-2"} {
			answer, err := client.Do(request(t, http.MethodGet, "http://localhost"+path, ""))
			if err != nil {
				t.Fatal(err)
			}
			var process struct{ Waiting int }
			err = json.NewDecoder(answer.Body).Decode(&process)
			answer.Body.Close()
			if err != nil || process.Waiting == 0 || process.Waiting == crowd {
				t.Errorf("%s: %d wait, %v; want a part of %d", path, process.Waiting, err, crowd)
			}
			sum += process.Waiting
		}
		if sum != crowd {
			t.Errorf("%d wait in both; want %d", sum, crowd)
		}
	}
	manual := shipped(t, "..", "fcgi", "README.md")
	for _, path := range []string{"/comet-status-1", "/comet-status-2"} {
		if !strings.Contains(manual, "localhost:9180\"], labels: { __metrics_path__: "+path) {
			t.Errorf("the scrape_config of fcgi/README.md does not have %s", path)
		}
	}
}

func wantPublication(t *testing.T, r reply) {
	t.Helper()
	if r.status != 200 || !strings.HasPrefix(r.body, `{"s":1,"k":{"news":`) {
		t.Errorf("HTTP %d %s", r.status, r.body)
	}
}
