package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"novcomet/examples/internal/launch"
)

// launchSite starts a server for as long as the test runs. What it said is shown when the test fails.
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
			t.Logf("%s said:\n%s", o.Server, log)
		}
	})
	return site
}

// behindNginx starts an nginx that passes everything on to the site, with further lines in its location. It returns the site
// as it looks from there.
func behindNginx(t *testing.T, site *launch.Site, lines string) *launch.Site {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx"
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	config := `daemon off; master_process off; pid nginx.pid; error_log stderr warn;
events { }
http {
	access_log off;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	server {
		listen ` + address + `;
		location / { proxy_pass ` + site.URL + `; ` + lines + ` }
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
	for late := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return &launch.Site{URL: "http://" + address, Events: site.Events}
		}
		if time.Now().After(late) {
			t.Fatal(err)
		}
	}
}

// startSite starts a real server with examples/browser as its pages. Polls are short, so that a test sees many.
func startSite(t *testing.T, server launch.Server) *launch.Site {
	t.Helper()
	return launchSite(t, launch.Options{
		Server:   server,
		Settings: map[string]string{"tries": "20", "sleep": "0.1"},
	})
}

// startPages starts nginx with the pages of examples/browser and those of testdata/pages, and polls that wait for 40 s.
func startPages(t *testing.T) *launch.Site {
	t.Helper()
	return launchPages(t, launch.Options{Server: launch.Nginx})
}

// launchPages does so with further options.
func launchPages(t *testing.T, o launch.Options) *launch.Site {
	t.Helper()
	o.Root = t.TempDir()
	for _, pages := range []string{"../browser", "testdata/pages"} {
		if err := os.CopyFS(o.Root, os.DirFS(pages)); err != nil {
			t.Fatal(err)
		}
	}
	o.Settings = map[string]string{"tries": "40", "sleep": "1"}
	return launchSite(t, o)
}

// waitingRequests counts the connections between the site's web server and its comet-fcgi: each is a poll or a stream.
func waitingRequests(t *testing.T, site *launch.Site) int {
	t.Helper()
	sockets, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		t.Fatal(err)
	}
	const connected = "03"
	n := 0
	for line := range strings.Lines(string(sockets)) { // Num RefCount Protocol Flags Type St Inode Path
		fields := strings.Fields(line)
		if len(fields) == 8 && fields[5] == connected && strings.HasPrefix(fields[7], filepath.Dir(site.Events)+"/") {
			n++
		}
	}
	return n
}

func eventFile(site *launch.Site, id string) string {
	return filepath.Join(site.Events, id+".comet")
}

// stampOf returns the event's stamp as the protocol writes it, "" where there is none yet.
func stampOf(t *testing.T, site *launch.Site, id string) string {
	t.Helper()
	info, err := os.Lstat(eventFile(site, id))
	if os.IsNotExist(err) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	microseconds := info.ModTime().UnixMicro()
	return fmt.Sprintf("%d.%06d", microseconds/1e6, microseconds%1e6)
}

func touch(t *testing.T, file string) {
	t.Helper()
	if output, err := exec.Command("touch", file).CombinedOutput(); err != nil {
		t.Fatalf("touch %s: %v: %s", file, err, output)
	}
}

// write publishes the event with this content, as another program of the server does.
func write(t *testing.T, site *launch.Site, id, content string) {
	t.Helper()
	temporary := filepath.Join(site.Events, ".temporary-"+id)
	if err := os.WriteFile(temporary, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temporary, eventFile(site, id)); err != nil {
		t.Fatal(err)
	}
}

// reply is what came back for a request, and when.
type reply struct {
	status int
	kind   string // Content-Type
	body   string
	took   time.Duration
	err    error
}

// asking sends a request; the reply comes over the channel.
func asking(request *http.Request) <-chan reply {
	replies := make(chan reply, 1)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	start := time.Now()
	go func() {
		answer, err := client.Do(request)
		if err != nil {
			replies <- reply{err: err}
			return
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		replies <- reply{answer.StatusCode, answer.Header.Get("Content-Type"), string(body), time.Since(start), err}
	}()
	return replies
}

// polling sends a GET of the endpoint with the query, byte for byte.
func polling(t *testing.T, site *launch.Site, query string) <-chan reply {
	t.Helper()
	return asking(request(t, http.MethodGet, site.URL+"/comet.php?"+query, ""))
}

// request makes a request that ends with the test. A body is a form's.
func request(t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// within waits for the reply and fails when there is none.
func within(t *testing.T, longest time.Duration, replies <-chan reply) reply {
	t.Helper()
	select {
	case r := <-replies:
		if r.err != nil {
			t.Fatal(r.err)
		}
		return r
	case <-time.After(longest):
		t.Fatalf("no answer within %v", longest)
		panic("unreachable")
	}
}

// stillWaits fails when the reply comes within a while that is several looks long.
func stillWaits(t *testing.T, replies <-chan reply) {
	t.Helper()
	select {
	case r := <-replies:
		t.Fatalf("the poll did not wait: %+v", r)
	case <-time.After(300 * time.Millisecond):
	}
}

// wantBody fails when the reply is not a 200 with this body.
func wantBody(t *testing.T, r reply, body string) {
	t.Helper()
	if r.status != http.StatusOK || r.body != body {
		t.Fatalf("got %d %s, want 200 %s", r.status, r.body, body)
	}
}
