package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"novcomet/core/event"
	"novcomet/core/servertest"
	"novcomet/examples/internal/launch"
)

// patience limits the wait for what must happen. A test continues as soon as it has happened.
const patience = 30 * time.Second

// eventuallyWithin calls check every 20 ms until it returns nil. After the time limit, the test fails with
// the last error of check.
func eventuallyWithin(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := launch.Until(ctx, 20*time.Millisecond, nil, check); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, check func() error) {
	t.Helper()
	eventuallyWithin(t, patience, check)
}

// launchSite starts a server, which ends with the test. If the test fails, it logs the output of the server.
func launchSite(t *testing.T, o launch.Options) *launch.Site {
	t.Helper()
	site, err := launch.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		log := site.Log()
		if err := site.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the output of %s:\n%s", o.Server, log)
		}
	})
	return site
}

var (
	shortPolls = map[string]string{"tries": "20", "sleep": "0.1"}  // 2 s, so that a test sees many polls
	longPolls  = map[string]string{"tries": "600", "sleep": "0.1"} // 60 s
)

// startSite starts a server with the pages of examples/browser, and short polls.
func startSite(t *testing.T, server launch.Server) *launch.Site {
	t.Helper()
	return launchSite(t, launch.Options{Server: server, Settings: shortPolls})
}

// startPages starts nginx with the pages of examples/browser and testdata/pages. A poll waits for 40 s.
func startPages(t *testing.T) *launch.Site {
	t.Helper()
	return launchPages(t, launch.Options{Server: launch.Nginx, Blocks: []string{metrics}})
}

// launchPages is like startPages, with further options.
func launchPages(t *testing.T, o launch.Options) *launch.Site {
	t.Helper()
	o.Root = t.TempDir()
	for _, pages := range []string{"../browser", "testdata/pages"} {
		if err := os.CopyFS(o.Root, os.DirFS(pages)); err != nil {
			t.Fatal(err)
		}
	}
	o.Settings = merge(map[string]string{"tries": "40", "sleep": "1"}, o.Settings)
	return launchSite(t, o)
}

// forEachServer runs a test with each of the servers, in parallel. By default a poll waits for 0.2 s.
func forEachServer(
	t *testing.T, servers []launch.Server, o launch.Options, test func(*testing.T, *launch.Site),
) {
	for _, server := range servers {
		t.Run(string(server), func(t *testing.T) {
			t.Parallel()
			o := o
			o.Server = server
			if o.Settings == nil {
				o.Settings = map[string]string{"tries": "2", "sleep": "0.1"}
			}
			test(t, launchSite(t, o))
		})
	}
}

// merge returns settings with some more settings, which take precedence.
func merge(settings, more map[string]string) map[string]string {
	all := maps.Clone(settings)
	maps.Copy(all, more)
	return all
}

// behindNginx starts an nginx that passes all requests on to the site. It returns the site with another URL.
func behindNginx(t *testing.T, site *launch.Site) *launch.Site {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx"
	}
	address := fmt.Sprintf("127.0.0.1:%d", servertest.FreePort(t))
	dir := t.TempDir()
	config := `daemon off; master_process off; pid nginx.pid; error_log stderr warn;
events { }
http {
	access_log off;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	server {
		listen ` + address + `;
		location / { proxy_pass ` + site.URL + `; }
	}
}`
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(program, "-e", "stderr", "-p", dir, "-c", file)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("the nginx in front ended: %v\n%s", err, &log)
		}
	})
	eventually(t, func() error {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err
	})
	return &launch.Site{URL: "http://" + address, Events: site.Events}
}

// running reports whether a program of the site runs.
func running(t *testing.T, site *launch.Site, program string) bool {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(links, func(link string) bool {
		path, err := os.Readlink(link) // It fails if the process has ended.
		inSite := err == nil && strings.HasPrefix(path, filepath.Dir(site.Events)+"/")
		return inSite && filepath.Base(path) == program
	})
}

// countConnections counts the connections from the web server to its comet-fcgi: one for each poll or stream,
// until the first one ends. nginx keeps its connection.
func countConnections(t *testing.T, site *launch.Site) int {
	t.Helper()
	sockets, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		t.Fatal(err)
	}
	const connected = "03"
	n := 0
	for line := range strings.Lines(string(sockets)) { // Num RefCount Protocol Flags Type St Inode Path
		fields := strings.Fields(line)
		if len(fields) == 8 && fields[5] == connected &&
			strings.HasPrefix(fields[7], filepath.Dir(site.Events)+"/") {
			n++
		}
	}
	return n
}

// wantConnections waits for so many connections from the web server to its comet-fcgi.
func wantConnections(t *testing.T, site *launch.Site, want int) {
	t.Helper()
	eventually(t, func() error {
		if n := countConnections(t, site); n < want {
			return fmt.Errorf("%d of %d polls wait", n, want)
		}
		return nil
	})
}

func eventFile(site *launch.Site, id string) string {
	return filepath.Join(site.Events, id+".comet")
}

// stampOf returns the event's stamp as a cursor, or "" if the event was never published.
func stampOf(t *testing.T, site *launch.Site, id string) string {
	t.Helper()
	info, err := os.Lstat(eventFile(site, id))
	if os.IsNotExist(err) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return event.StampOf(info.ModTime()).String()
}

func stopDaemon(t *testing.T, site *launch.Site) {
	t.Helper()
	if err := site.StopDaemon(); err != nil {
		t.Fatal(err)
	}
}

func startDaemon(t *testing.T, site *launch.Site) {
	t.Helper()
	if err := site.StartDaemon(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// shell runs a script as the site's user in the directory of the events.
func shell(t *testing.T, site *launch.Site, script string) {
	t.Helper()
	if err := site.Shell(t.Context(), script); err != nil {
		t.Fatal(err)
	}
}

// touch runs the command touch as the user of the tests.
func touch(t *testing.T, file string) {
	t.Helper()
	if output, err := exec.Command("touch", file).CombinedOutput(); err != nil {
		t.Fatalf("touch %s: %v: %s", file, err, output)
	}
}

// write publishes an event with data, as another program of the machine does: it renames a complete file.
func write(t *testing.T, site *launch.Site, id, data string) {
	t.Helper()
	temporary := filepath.Join(site.Events, ".temporary-"+id)
	if err := os.WriteFile(temporary, []byte(data), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temporary, eventFile(site, id)); err != nil {
		t.Fatal(err)
	}
}

// example returns the text of a file in examples/.
func example(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", filepath.Join(path...)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
