package e2e_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"novcomet/examples/internal/launch"
)

// The servers that start a program while they run. The others start it once.
var starting = map[launch.Server]string{
	launch.ApacheCGI:   "../cgi-bin/comet.cgi",
	launch.LighttpdCGI: "../cgi-bin/comet.cgi",
	launch.ApacheFcgid: "../bin/comet-fcgi",
}

// How the program is replaced: the function put of examples/README.md, and install over the program.
const (
	byRename = `install -m 755 ../upgrade %[1]s.new && mv -f %[1]s.new %[1]s`
	inPlace  = `install -m 755 ../upgrade %[1]s`
)

func TestAProgramThatIsReplacedByRenameFailsNoRequest(t *testing.T) {
	const replacements = 10
	upgradeUnder(t, func(t *testing.T, site *launch.Site, traffic *traffic, program string) {
		for range replacements {
			shell(t, site, fmt.Sprintf(byRename, program))
			traffic.goesOn(t)
		}
		if failed, example := traffic.end(); failed > 0 {
			t.Errorf("%d requests failed, such as %s", failed, example)
		}
	})
}

// It shows that the test above can fail, and why the instructions do not use it.
func TestAProgramThatIsWrittenInPlaceFailsRequests(t *testing.T) {
	upgradeUnder(t, func(t *testing.T, site *launch.Site, traffic *traffic, program string) {
		for late := time.Now().Add(patience); traffic.failed.Load() == 0 && time.Now().Before(late); {
			shell(t, site, fmt.Sprintf(inPlace, program))
		}
		if failed, _ := traffic.end(); failed == 0 {
			t.Error("no request failed")
		}
	})
}

func upgradeUnder(t *testing.T, test func(t *testing.T, site *launch.Site, traffic *traffic, program string)) {
	for server, program := range starting {
		t.Run(string(server), func(t *testing.T) {
			site := launchSite(t, launch.Options{Server: server})
			shell(t, site, "cp "+program+" ../upgrade")
			traffic := startTraffic(t, site)
			defer traffic.end()
			traffic.goesOn(t)
			test(t, site, traffic, program)
		})
	}
}

// traffic is a few clients that send one request after another.
type traffic struct {
	answered, failed atomic.Int64
	example          atomic.Value // of a failure
	stop             func()
}

func startTraffic(t *testing.T, site *launch.Site) *traffic {
	t.Helper()
	const clients = 4
	f := &traffic{}
	over := make(chan struct{})
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				r := <-asking(request(t, http.MethodGet, site.URL+"/comet.php?subscribed[a]=now&wait=0", ""))
				if r.err != nil || r.status != http.StatusOK || r.body != `{"s":0,"at":{"a":"0.000000"}}` {
					f.example.Store(fmt.Sprintf("HTTP %d %.200s, %v", r.status, r.body, r.err))
					f.failed.Add(1)
				}
				f.answered.Add(1)
			}
		})
	}
	f.stop = sync.OnceFunc(func() { close(over); all.Wait() })
	return f
}

// goesOn waits until every client has been answered again.
func (f *traffic) goesOn(t *testing.T) {
	t.Helper()
	const enough = 20
	wanted := f.answered.Load() + enough
	for late := time.Now().Add(patience); f.answered.Load() < wanted; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("no %d answers within %v", enough, patience)
		}
	}
}

func (f *traffic) end() (failed int64, example any) {
	f.stop()
	return f.failed.Load(), f.example.Load()
}
