package main

import "testing"

func TestStatus_SaysThatCometCGIHasNoMetrics(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	a := request(t, directory, "", get("publish=a", "COMET_STATUS=on")...)
	a.want(t, 200, `{"program":"comet.cgi",…`)
	wantText(t, a.body, "counts nothing", "comet-fcgi")
	wantEvents(t, directory)
}
