package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"novcomet/examples/internal/launch"
)

// With a held socket, as systemd's, publications wait while comet-fcgi is stopped. Of two comet-fcgi, the
// other one takes them.
func TestRestart_FailsNoPublication(t *testing.T) {
	const restarts = 10
	for server, hold := range map[launch.Server]bool{
		launch.Nginx: true, launch.NginxBoth: false, launch.ApacheProxy: true, launch.Caddy: true,
	} {
		t.Run(string(server), func(t *testing.T) {
			site := launchSite(t, launch.Options{Server: server, HoldSocket: hold})
			traffic := publishSteadily(t, site)
			for range restarts {
				restartDaemon(t, site)
				traffic.waitForAnswers(t)
			}
			if failed, example := traffic.end(); failed > 0 {
				t.Errorf("%d of %d publications failed, for example %s", failed, traffic.answered.Load(), example)
			}
		})
	}
}

// This test shows that the test above can fail, and why comet.conf lets nginx send a publication again.
func TestRestart_FailsPublicationsThatAreNotSentAgain(t *testing.T) {
	site := launchSite(t, launch.Options{
		Server: launch.Nginx, HoldSocket: true, Replace: map[string]string{" non_idempotent": ""},
	})
	traffic := publishSteadily(t, site)
	eventually(t, func() error {
		restartDaemon(t, site)
		if traffic.failed.Load() == 0 {
			return errors.New("no publication has failed")
		}
		return nil
	})
}

func restartDaemon(t *testing.T, site *launch.Site) {
	t.Helper()
	stopDaemon(t, site)
	startDaemon(t, site)
}

// publishSteadily lets several clients publish by POST, until the test ends. nginx keeps the data in a file,
// because it exceeds client_body_buffer_size, 16 KB.
func publishSteadily(t *testing.T, site *launch.Site) *traffic {
	t.Helper()
	form := "publish=a&data=" + strings.Repeat("x", 20_000)
	traffic := startTraffic(t, func() *http.Request {
		return newRequest(t, http.MethodPost, site.URL+"/comet.php", form)
	}, "true")
	t.Cleanup(func() { traffic.end() })
	traffic.waitForAnswers(t)
	return traffic
}

// traffic is a group of clients that send the same request again and again.
type traffic struct {
	answered, failed atomic.Int64
	example          atomic.Value // a failure
	stop             func()
}

// startTraffic starts the clients. An answer with another body than the wanted one is a failure.
func startTraffic(t *testing.T, newRequest func() *http.Request, want string) *traffic {
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
				r := <-send(newRequest())
				if r.err != nil || r.status != http.StatusOK || r.body != want {
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
