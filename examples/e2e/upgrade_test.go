package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"novcomet/examples/internal/launch"
)

// starting has the servers that start a program again and again. The other servers start it only once.
var starting = map[launch.Server]string{
	launch.ApacheCGI:   "../cgi-bin/comet.cgi",
	launch.LighttpdCGI: "../cgi-bin/comet.cgi",
	launch.ApacheFcgid: "../bin/comet-fcgi",
}

// Commands that replace a program: the function put of examples/README.md, and install without a rename.
const (
	byRename = `install -m 755 ../upgrade %[1]s.new && mv -f %[1]s.new %[1]s`
	inPlace  = `install -m 755 ../upgrade %[1]s`
)

func TestUpgrade_ByRenameFailsNoRequest(t *testing.T) {
	const replacements = 10
	forEachStarting(t, func(t *testing.T, site *launch.Site, traffic *traffic, program string) {
		for range replacements {
			shell(t, site, fmt.Sprintf(byRename, program))
			traffic.waitForAnswers(t)
		}
		if failed, example := traffic.end(); failed > 0 {
			t.Errorf("%d requests failed, for example %s", failed, example)
		}
	})
}

// This test shows that the test above can fail, and why the instructions use a rename.
func TestUpgrade_InPlaceFailsRequests(t *testing.T) {
	forEachStarting(t, func(t *testing.T, site *launch.Site, traffic *traffic, program string) {
		eventually(t, func() error {
			shell(t, site, fmt.Sprintf(inPlace, program))
			if traffic.failed.Load() == 0 {
				return errors.New("no request has failed")
			}
			return nil
		})
	})
}

// forEachStarting runs a test with each of the servers in starting, while clients send requests.
func forEachStarting(t *testing.T, test func(t *testing.T, site *launch.Site, traffic *traffic, program string)) {
	for server, program := range starting {
		t.Run(string(server), func(t *testing.T) {
			site := launchSite(t, launch.Options{Server: server})
			shell(t, site, "cp "+program+" ../upgrade")
			traffic := startTraffic(t, func() *http.Request {
				return newRequest(t, http.MethodGet, site.URL+"/comet.php?subscribed[a]=now&wait=0", "")
			}, `{"s":0,"at":{"a":"0.000000"}}`)
			defer traffic.end()
			traffic.waitForAnswers(t)
			test(t, site, traffic, program)
		})
	}
}
