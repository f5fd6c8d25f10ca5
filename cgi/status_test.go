package main

import (
	"os/exec"
	"strings"
	"testing"
)

func TestAStatusLocationSaysThatNothingIsCounted(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	a := request(t, append(settings(directory), append(asked("publish=a"), "COMET_STATUS=on")...), "")
	a.want(t, 200, a.body)
	wantText(t, a.body, `{"program":"comet.cgi",`, "counts nothing", "comet-fcgi")
	if got := events(t, directory); len(got) > 0 {
		t.Errorf("published %q", got)
	}
}

// Each request pays for what the program is made of.
func TestOnlyTheDaemonHasPrometheusInIt(t *testing.T) {
	t.Parallel()
	packages, err := exec.Command("go", "list", "-deps", "novcomet/cgi").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(packages), "prometheus") {
		t.Errorf("comet.cgi imports it: %s", packages)
	}
}
