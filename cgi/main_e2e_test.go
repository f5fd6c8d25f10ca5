//go:build e2e

package main

import (
	"testing"

	"novcomet/core/coarsetest"
)

// A second publication within the second would get the same stamp, and a poll that waits would miss it.
func TestRun_LetsNoPollWaitWhereOnlySecondsAreKept(t *testing.T) {
	directory := coarsetest.Mount(t)
	request(t, append(settings(directory), asked("publish=a")...), "").want(t, 200, "true")
	if a := request(t, append(settings(directory), asked("subscribed[b]=now&wait=0")...), ""); a.status != 200 || a.stderr != "" {
		t.Errorf("without waiting: HTTP %d %s, %s", a.status, a.body, a.stderr)
	}
	for _, query := range []string{"subscribed[a]=now", "subscribed[a]=1763799999"} {
		a := request(t, append(settings(directory), asked(query)...), "")
		if a.exit != 0 || a.status != 500 {
			t.Errorf("%s: exit status %d, HTTP %d %s; want 500", query, a.exit, a.status, a.body)
		}
		wantText(t, a.body, `{"error":"polls cannot wait here`)
		wantLine(t, a.stderr, "level=ERROR", "file.directory", directory, "units of 1s", "/dev/shm")
	}
}
