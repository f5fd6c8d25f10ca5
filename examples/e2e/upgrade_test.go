package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
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
			traffic := startTraffic(t, site)
			defer traffic.end()
			traffic.waitForAnswers(t)
			test(t, site, traffic, program)
		})
	}
}

// traffic is a group of clients that send one request after another.
type traffic struct {
	answered, failed atomic.Int64
	example          atomic.Value // a failure
	stop             func()
}

func startTraffic(t *testing.T, site *launch.Site) *traffic {
	t.Helper()
	const clients = 4
	f := &traffic{}
	stopped := make(chan struct{})
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for {
				select {
				case <-stopped:
					return
				default:
				}
				r := <-send(newRequest(t, http.MethodGet, site.URL+"/comet.php?subscribed[a]=now&wait=0", ""))
				if r.err != nil || r.status != http.StatusOK || r.body != `{"s":0,"at":{"a":"0.000000"}}` {
					f.example.Store(fmt.Sprintf("HTTP %d %.200s, %v", r.status, r.body, r.err))
					f.failed.Add(1)
				}
				f.answered.Add(1)
			}
		})
	}
	f.stop = sync.OnceFunc(func() { close(stopped); all.Wait() })
	return f
}

// waitForAnswers waits for 20 more answers.
func (f *traffic) waitForAnswers(t *testing.T) {
	t.Helper()
	want := f.answered.Load() + 20
	eventually(t, func() error {
		if got := f.answered.Load(); got < want {
			return fmt.Errorf("%d answers, want %d", got, want)
		}
		return nil
	})
}

// end stops the clients. It returns the number of failures, and one of them.
func (f *traffic) end() (failed int64, example any) {
	f.stop()
	return f.failed.Load(), f.example.Load()
}
