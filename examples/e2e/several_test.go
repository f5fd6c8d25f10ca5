package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"

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

func wantPublication(t *testing.T, r reply) {
	t.Helper()
	if r.status != 200 || !strings.HasPrefix(r.body, `{"s":1,"k":{"news":`) {
		t.Errorf("HTTP %d %s", r.status, r.body)
	}
}
