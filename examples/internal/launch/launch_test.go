//go:build e2e

package launch_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"novcomet/examples/internal/launch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStopLeavesNeitherProcessNorFile(t *testing.T) {
	for _, server := range launch.Servers() {
		t.Run(string(server), func(t *testing.T) {
			site := start(t, launch.Options{Server: server})
			waiting := poll(site)
			wait(t, site)
			dir := filepath.Dir(site.Events)
			if err := site.Stop(); err != nil {
				t.Errorf("%v\n%s", err, site.Log())
			}
			<-waiting
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Errorf("%s is still there: %v", dir, err)
			}
			if left := commandsWith(t, dir); len(left) > 0 {
				t.Errorf("still running: %q", left)
			}
		})
	}
}

func TestDaemonCanBeRestartedAlone(t *testing.T) {
	for _, hold := range []bool{false, true} {
		site := start(t, launch.Options{Server: launch.Nginx, HoldSocket: hold})
		if err := site.StopDaemon(); err != nil {
			t.Fatal(err)
		}
		meanwhile := poll(site)
		if !hold {
			if status := <-meanwhile; status != http.StatusBadGateway {
				t.Errorf("with comet-fcgi stopped: status %d, want 502", status)
			}
		}
		if err := site.StartDaemon(t.Context()); err != nil {
			t.Fatal(err)
		}
		if hold {
			publish(t, site) // for whom waits since comet-fcgi was stopped
			if status := <-meanwhile; status != http.StatusOK {
				t.Errorf("a request that came while comet-fcgi was stopped: status %d, want 200", status)
			}
		}
		publish(t, site)
	}
}

func TestDaemonOfAServerThatStartsItsOwnCannotBeRestarted(t *testing.T) {
	site := start(t, launch.Options{Server: launch.ApacheCGI})
	if site.StopDaemon() == nil || site.StartDaemon(t.Context()) == nil {
		t.Error("no error")
	}
}

func TestReloadLosesNoRequest(t *testing.T) {
	for _, server := range launch.Servers() {
		if !server.Reloads() {
			continue
		}
		t.Run(string(server), func(t *testing.T) {
			site := start(t, launch.Options{Server: server})
			waiting := poll(site)
			wait(t, site)
			idle := keptConnection(t, site)
			if err := site.Reload(); err != nil {
				t.Fatal(err)
			}
			// It has come when nothing can be asked any more on a connection to the processes of before.
			if n, err := idle.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("read %d bytes, %v; want the connection closed", n, err)
			}
			publish(t, site)
			if status := <-waiting; status != http.StatusOK {
				t.Errorf("the poll that waited: status %d, want 200", status)
			}
		})
	}
	site := start(t, launch.Options{Server: launch.ApacheCGI})
	if site.Reload() == nil {
		t.Error("no error of a server that can't reload")
	}
}

// keptConnection is a connection on which a request was answered, and another one may come.
func keptConnection(t *testing.T, site *launch.Site) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(site.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodHead})
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("the front page: %v, %v", answer, err)
	}
	return c
}

func TestNothingOfThisEnvironmentReachesTheServer(t *testing.T) {
	t.Setenv("COMET_TRIES", "nonsense")
	for _, server := range []launch.Server{launch.ApacheCGI, launch.Nginx} {
		publish(t, start(t, launch.Options{Server: server}))
	}
}

// Also when root starts it.
func TestNovCometRunsAsAnOrdinaryUser(t *testing.T) {
	for _, server := range launch.Servers() {
		t.Run(string(server), func(t *testing.T) {
			site := start(t, launch.Options{Server: server})
			publish(t, site)
			file, err := os.Stat(filepath.Join(site.Events, "a.comet"))
			if err != nil {
				t.Fatal(err)
			}
			owner, err := user.LookupId(strconv.Itoa(int(file.Sys().(*syscall.Stat_t).Uid)))
			if err != nil {
				t.Fatal(err)
			}
			if owner.Username != site.User || owner.Uid == "0" {
				t.Errorf("the file of a publication is %s's, want %s's", owner.Username, site.User)
			}
		})
	}
}

func TestParse(t *testing.T) {
	for _, server := range launch.Servers() {
		if got, err := launch.Parse(string(server)); got != server || err != nil {
			t.Errorf("%s: %s, %v", server, got, err)
		}
	}
	if got, err := launch.Parse("apache"); got != launch.ApacheCGI || err != nil {
		t.Errorf("apache: %s, %v", got, err)
	}
	if _, err := launch.Parse("iis"); err == nil || !strings.Contains(err.Error(), "nginx") {
		t.Errorf("iis: %v, want an error that names the servers", err)
	}
}

func start(t *testing.T, o launch.Options) *launch.Site {
	t.Helper()
	site, err := launch.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := site.Stop(); err != nil {
			t.Error(err)
		}
	})
	return site
}

// poll starts a poll of an event; the status comes when it ends, 0 when it was cut off.
func poll(site *launch.Site) <-chan int {
	status := make(chan int, 1)
	go func() {
		status <- get(site, "subscribed[a]=0.000000")
	}()
	return status
}

func publish(t *testing.T, site *launch.Site) {
	t.Helper()
	if status := get(site, "publish=a"); status != http.StatusOK {
		t.Errorf("publishing: status %d; the server said:\n%s", status, site.Log())
	}
}

func get(site *launch.Site, query string) int {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(site.URL + "/comet.php?" + query)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

// wait returns when something runs for the site that holds the poll, as far as that can be seen: a program of NovComet.
func wait(t *testing.T, site *launch.Site) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	late := time.After(10 * time.Second)
	for {
		for _, command := range commandsWith(t, filepath.Dir(site.Events)) {
			if strings.Contains(command, "comet.cgi") || strings.Contains(command, "comet-fcgi") {
				return
			}
		}
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("nothing waits; the server said:\n%s", site.Log())
		}
	}
}

// commandsWith returns the command lines of processes that mention the directory.
func commandsWith(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		line, _ := os.ReadFile(file) // gone meanwhile: empty
		if strings.Contains(string(line), dir) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}
