//go:build e2e

package launch_test

import (
	"bufio"
	"context"
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

func TestSite_StopLeavesNoProcessAndNoFile(t *testing.T) {
	forEach(t, launch.Servers(), func(t *testing.T, site *launch.Site) {
		waiting := startPoll(site)
		waitForProgram(t, site)
		dir := filepath.Dir(site.Events)
		if err := site.Stop(); err != nil {
			t.Errorf("%v\n%s", err, site.Log())
		}
		<-waiting
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s still exists: %v", dir, err)
		}
		if left := commandsWith(t, dir); len(left) > 0 {
			t.Errorf("still running: %q", left)
		}
	})
}

func TestSite_RestartsDaemonAlone(t *testing.T) {
	for _, hold := range []bool{false, true} {
		site := start(t, launch.Options{Server: launch.Nginx, HoldSocket: hold})
		if err := site.StopDaemon(); err != nil {
			t.Fatal(err)
		}
		poll := startPoll(site)
		if !hold {
			if status := <-poll; status != http.StatusBadGateway {
				t.Errorf("while comet-fcgi is stopped: status %d, want 502", status)
			}
		}
		if err := site.StartDaemon(t.Context()); err != nil {
			t.Fatal(err)
		}
		publish(t, site)
		if hold {
			if status := <-poll; status != http.StatusOK {
				t.Errorf("a request from the time when comet-fcgi was stopped: status %d, want 200", status)
			}
		}
	}
}

func TestSite_RefusesWhatTheServerDoesNotSupport(t *testing.T) {
	site := start(t, launch.Options{Server: launch.ApacheCGI})
	if site.StopDaemon() == nil {
		t.Error("StopDaemon: no error")
	}
	if site.StartDaemon(t.Context()) == nil {
		t.Error("StartDaemon: no error")
	}
	if site.Reload() == nil {
		t.Error("Reload: no error")
	}
}

func TestSite_ReloadLosesNoRequest(t *testing.T) {
	var servers []launch.Server
	for _, server := range launch.Servers() {
		if server.Reloads() {
			servers = append(servers, server)
		}
	}
	forEach(t, servers, func(t *testing.T, site *launch.Site) {
		waiting := startPoll(site)
		waitForProgram(t, site)
		idle := openIdleConnection(t, site)
		if err := site.Reload(); err != nil {
			t.Fatal(err)
		}
		// The reload is complete when the old processes have closed their idle connections.
		if n, err := idle.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read %d bytes, %v; want the connection closed", n, err)
		}
		publish(t, site)
		if status := <-waiting; status != http.StatusOK {
			t.Errorf("the waiting poll: status %d, want 200", status)
		}
	})
}

func TestSite_GetsNoVariableOfThisProcess(t *testing.T) {
	t.Setenv("COMET_TRIES", "nonsense")
	for _, server := range []launch.Server{launch.ApacheCGI, launch.Nginx} {
		publish(t, start(t, launch.Options{Server: server}))
	}
}

func TestSite_RunsAsOrdinaryUser(t *testing.T) {
	forEach(t, launch.Servers(), func(t *testing.T, site *launch.Site) {
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
			t.Errorf("a published file belongs to %s, want %s", owner.Username, site.User)
		}
	})
}

func forEach(t *testing.T, servers []launch.Server, test func(*testing.T, *launch.Site)) {
	for _, server := range servers {
		t.Run(string(server), func(t *testing.T) { test(t, start(t, launch.Options{Server: server})) })
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

// openIdleConnection returns a connection on which the server has answered one request.
func openIdleConnection(t *testing.T, site *launch.Site) net.Conn {
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

// startPoll starts a poll. The channel receives its status, or 0 if the connection was cut.
func startPoll(site *launch.Site) <-chan int {
	status := make(chan int, 1)
	go func() { status <- get(site, "subscribed[a]=0.000000") }()
	return status
}

func publish(t *testing.T, site *launch.Site) {
	t.Helper()
	if status := get(site, "publish=a"); status != http.StatusOK {
		t.Errorf("publishing: status %d; the output is:\n%s", status, site.Log())
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

// waitForProgram waits until a program of NovComet runs.
func waitForProgram(t *testing.T, site *launch.Site) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := launch.Until(ctx, 10*time.Millisecond, nil, func() error {
		for _, command := range commandsWith(t, filepath.Dir(site.Events)) {
			if strings.Contains(command, "comet.cgi") || strings.Contains(command, "comet-fcgi") {
				return nil
			}
		}
		return errors.New("neither comet.cgi nor comet-fcgi runs")
	})
	if err != nil {
		t.Fatalf("%v; the output is:\n%s", err, site.Log())
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
		line, _ := os.ReadFile(file) // empty if the process has ended
		if strings.Contains(string(line), dir) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}
