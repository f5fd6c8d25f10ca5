package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"novcomet/examples/internal/launch"
)

// seeded is a mistake that administrators make, and what comet-fcgi check must say of it.
type seeded struct {
	name   string
	server launch.Server
	site   launch.Options
	spoil  func(t *testing.T, site *launch.Site) (path string) // after the start; what it returns stands for /comet.php
	env    []string
	args   []string
	want   []string // "verdict check": a part of what is found or to be done
}

// closed keeps publications by URL from everybody.
const closed = "none"

var brief = map[string]string{"tries": "6", "sleep": "0.5"} // a wait of 3 s

var mistakes = []seeded{
	{
		name: "nginx collects what streams send", server: launch.Nginx,
		site: launch.Options{Extra: "fastcgi_buffering on; fastcgi_ignore_headers X-Accel-Buffering;"},
		want: []string{"problem stream: buffering", "problem stream: fastcgi_ignore_headers"},
	}, {
		name: "nginx keeps X-Accel-Buffering from another nginx", server: launch.Nginx,
		site:  launch.Options{Replace: map[string]string{"fastcgi_pass_header X-Accel-Buffering;": ""}},
		spoil: func(t *testing.T, site *launch.Site) string { return behindNginx(t, site, "").URL + "/comet.php" },
		want:  []string{"problem stream: buffering", "problem stream: fastcgi_pass_header X-Accel-Buffering"},
	}, {
		name: "nginx changes Host for another nginx", server: launch.Nginx,
		site:  launch.Options{Settings: map[string]string{"publish.allow": closed}},
		spoil: func(t *testing.T, site *launch.Site) string { return behindNginx(t, site, "").URL + "/comet.php" },
		want:  []string{"problem own pages: HTTP 403", "problem own pages: proxy_set_header Host $http_host", "ok stream: an event after"},
	}, {
		name: "nginx has room for fewer browsers than may wait", server: launch.Nginx,
		site: launch.Options{WorkerConnections: 1000, Settings: map[string]string{"max_waiting": "501"}},
		want: []string{"warning nginx: max_waiting is 501, but nginx has room for 500", "warning nginx: worker_connections 1002;"},
	}, {
		name: "nginx has room for as many browsers as may wait", server: launch.Nginx,
		site: launch.Options{WorkerConnections: 1000, Settings: map[string]string{"max_waiting": "500"}},
		want: []string{"ok nginx: room for 500 browsers at the same time (2 workers with 1000 worker_connections)"},
	}, {
		name: "nginx may open fewer files than it has connections", server: launch.Nginx,
		site: launch.Options{WorkerConnections: 30000},
		want: []string{"warning nginx: open files, but has 30000 worker_connections", "warning nginx: worker_rlimit_nofile 60000;"},
	}, {
		name: "the CGI program is still there", server: launch.ApacheProxy,
		site: launch.Options{Blocks: []string{"Private events for users with a password"}, Users: users, Extra: serveCGIBin},
		want: []string{"problem other URLs: /cgi-bin/comet.cgi, and there everybody can subscribe and publish", "problem other URLs: a2disconf comet-cgi"},
	}, {
		name: "mod_fcgid collects what streams send", server: launch.ApacheFcgid,
		site: launch.Options{Replace: map[string]string{"FcgidOutputBufferSize 0": "FcgidOutputBufferSize 65536"}},
		want: []string{"problem stream: buffering", "problem stream: FcgidOutputBufferSize 0"},
	}, {
		name: "nginx waits for a shorter time than a poll", server: launch.Nginx,
		site: launch.Options{Replace: map[string]string{"fastcgi_read_timeout 75s;": "fastcgi_read_timeout 1s;"}},
		want: []string{"problem time-out: HTTP 504 after 1", "problem time-out: fastcgi_read_timeout"},
	}, {
		name: "Apache waits for a shorter time than a poll", server: launch.ApacheProxy,
		site: launch.Options{Replace: map[string]string{"ProxySet timeout=75": "ProxySet timeout=1"}},
		want: []string{"problem time-out: HTTP 504 after 1", "problem time-out: ProxyTimeout"},
	}, {
		name: "nginx may not connect to the socket", server: launch.Nginx,
		spoil: func(t *testing.T, site *launch.Site) string {
			if err := os.Chmod(site.Socket(), 0); err != nil {
				t.Fatal(err)
			}
			return ""
		},
		want: []string{"warning socket: may not connect", "warning socket: socket.group", "problem URL: HTTP 502", "problem URL: socket.group"},
	}, {
		name: "the socket is open to every user", server: launch.Nginx,
		spoil: func(t *testing.T, site *launch.Site) string {
			if err := os.Chmod(site.Socket(), 0o666); err != nil {
				t.Fatal(err)
			}
			return ""
		},
		want: []string{"warning socket: every user of this machine may connect"},
	}, {
		name: "comet-fcgi is not started", server: launch.Nginx,
		spoil: func(t *testing.T, site *launch.Site) string {
			if err := site.StopDaemon(); err != nil {
				t.Fatal(err)
			}
			return ""
		},
		want: []string{"problem socket: no such file", "problem URL: HTTP 502: the web server does not reach comet-fcgi"},
	}, {
		name: "comet-fcgi may not write in the directory", server: launch.Nginx,
		spoil: func(t *testing.T, site *launch.Site) string {
			if err := os.Chmod(site.Events, 0o555); err != nil {
				t.Fatal(err)
			}
			return ""
		},
		want: []string{"warning directory: may not write there", "problem publish: does not accept a publication"},
	}, {
		name: "the directory is missing", server: launch.Nginx,
		spoil: func(t *testing.T, site *launch.Site) string {
			if err := os.Rename(site.Events, site.Events+"-elsewhere"); err != nil {
				t.Fatal(err)
			}
			return ""
		},
		want: []string{"problem directory: no such file", "problem directory: install -d", "problem publish: HTTP 503"},
	}, {
		name: "too few open files for max_waiting", server: launch.Nginx,
		site: launch.Options{Settings: map[string]string{"max_waiting": "1000000"}},
		want: []string{"problem open files: max_waiting is 1000000", "problem open files: LimitNOFILE"},
	}, {
		name: "nginx keeps answers", server: launch.Nginx,
		site: launch.Options{
			HTTP:  "fastcgi_cache_path {dir}/kept keys_zone=kept:1m;",
			Extra: "fastcgi_cache kept; fastcgi_cache_key $request_uri; fastcgi_cache_valid 200 1m; fastcgi_ignore_headers Cache-Control;",
		},
		want: []string{"problem cache: same answer after a publication", "problem cache: fastcgi_cache"},
	}, {
		name: "nginx lets browsers keep answers", server: launch.Nginx,
		site: launch.Options{Extra: `fastcgi_hide_header Cache-Control; add_header Cache-Control "max-age=60";`},
		want: []string{`problem header: Cache-Control is "max-age=60" and not no-store`, "problem header: add_header"},
	}, {
		name: "the URL is that of a page", server: launch.Nginx,
		spoil: func(*testing.T, *launch.Site) string { return "/" },
		want:  []string{"problem URL: an HTML page, not NovComet's"},
	}, {
		name: "there is nothing at the URL", server: launch.ApacheProxy,
		spoil: func(*testing.T, *launch.Site) string { return "/comet.cgi" },
		want:  []string{"problem URL: HTTP 404"},
	}, {
		name: "mod_fcgid has one process for all", server: launch.ApacheFcgid,
		site: launch.Options{
			Replace:  map[string]string{"FcgidMaxProcessesPerClass 200": "FcgidMaxProcessesPerClass 1"},
			Settings: map[string]string{"tries": "10"},
		},
		want: []string{"problem delivery: while one poll waits, another is not answered", "problem delivery: FcgidMaxProcessesPerClass"},
	}, {
		name: "the configuration has a bad value", server: launch.Nginx, env: []string{"COMET_SLEEP=soon"},
		want: []string{`problem configuration: COMET_SLEEP: sleep: "soon" is not a duration`},
	}, {
		name: "the location has a bad value", server: launch.Nginx, site: launch.Options{
			Replace: map[string]string{"include fastcgi_params;": "include fastcgi_params; fastcgi_param COMET_TRIES many;"}},
		want: []string{"problem URL: HTTP 500: the settings of this location are invalid"},
	}, {
		name: "the clocks are apart", server: launch.Nginx,
		spoil: func(t *testing.T, site *launch.Site) string {
			return rewritten(t, site, func(h http.Header) {
				h.Set("Date", time.Now().Add(-10*time.Minute).UTC().Format(http.TimeFormat))
			})
		},
		want: []string{"warning clock: behind this machine's", "warning clock: NTP"},
	}, {
		name: "a proxy says how old answers are", server: launch.Nginx,
		spoil: func(t *testing.T, site *launch.Site) string {
			return rewritten(t, site, func(h http.Header) { h.Set("Age", "30") })
		},
		want: []string{"problem cache: 30 s old"},
	}, {
		name: "another comet.yaml is in force behind the URL", server: launch.Nginx, site: launch.Options{Settings: map[string]string{"publish.allow": closed}},
		env:  []string{"COMET_FILE_DIRECTORY=/dev/shm"},
		want: []string{"problem delivery: a publication is not seen through the URL"},
	}, {
		name: "Redis is not started", server: launch.Nginx,
		site: launch.Options{Settings: map[string]string{"store": "redis", "redis.addresses": "127.0.0.1:1"}},
		want: []string{"problem store: the store redis does not answer", "problem store: start it", "problem publish: does not accept a publication"},
	}, {
		name: "memcached is not started", server: launch.Nginx,
		site: launch.Options{Settings: map[string]string{"store": "memcached", "memcached.servers": "127.0.0.1:1"}},
		want: []string{"problem store: the store memcached does not answer", "problem publish: does not accept a publication"},
	}, {
		name: "nginx takes no data of data.max_bytes", server: launch.Nginx,
		site: launch.Options{Replace: map[string]string{"client_max_body_size 16m;": ""}, Settings: map[string]string{"data.max_bytes": "2000000"}},
		want: []string{"problem data: HTTP 413", "problem data: client_max_body_size"},
	}, {
		name: "mod_fcgid takes no data of data.max_bytes", server: launch.ApacheFcgid,
		site: launch.Options{Replace: map[string]string{"FcgidMaxRequestLen 16777216": "FcgidMaxRequestLen 131072"}, Settings: map[string]string{"data.max_bytes": "200000"}},
		want: []string{"problem data: HTTP 500", "problem data: FcgidMaxRequestLen"},
	}, {
		name: "everybody may publish", server: launch.Nginx,
		want: []string{"warning publish: without a name", "warning publish: publish.allow"},
	},
}

// serveCGIBin is what Debian's serve-cgi-bin.conf says.
const serveCGIBin = `
LoadModule cgid_module /usr/lib/apache2/modules/mod_cgid.so
ScriptSock "{dir}/cgid.sock"
ScriptAlias /cgi-bin/ "{dir}/cgi-bin/"
<Directory "{dir}/cgi-bin">
	AllowOverride None
	Options +ExecCGI -MultiViews +SymLinksIfOwnerMatch
	Require all granted
</Directory>`

// rewritten is the URL of a proxy before the site that changes the header of each answer.
func rewritten(t *testing.T, site *launch.Site, change func(http.Header)) string {
	t.Helper()
	target, err := url.Parse(site.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	proxy.ModifyResponse = func(r *http.Response) error {
		change(r.Header)
		return nil
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL + "/comet.php"
}

// finding is one of the report.
type finding struct{ Check, Verdict, Found, Do string }

// checked runs comet-fcgi check on the site, and returns what it found and its exit status.
func checked(t *testing.T, site *launch.Site, address string, env, args []string) (found []finding, status int) {
	t.Helper()
	args = append([]string{"check", address, "--json"}, args...)
	if socket := site.Socket(); socket != "" {
		args = append(args, "--listen", "unix:"+socket)
	}
	cmd := site.Command(t.Context(), env, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // ProcessState says it
	if cmd.ProcessState == nil {
		t.Fatalf("it could not be started: %s", &stderr)
	}
	var report struct{ Findings []finding }
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
		t.Fatalf("%v: %s%s", err, &stdout, &stderr)
	}
	return report.Findings, cmd.ProcessState.ExitCode()
}

func (f finding) String() string {
	return fmt.Sprintf("%s %s: %s → %s", f.Verdict, f.Check, f.Found, f.Do)
}

func listed(found []finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}

func TestCheckFindsEachMistake(t *testing.T) {
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			o := m.site
			o.Server, o.Settings = m.server, with(brief, m.site.Settings)
			site := launchSite(t, o)
			address := site.URL + "/comet.php"
			if m.spoil != nil {
				switch path := m.spoil(t, site); {
				case strings.HasPrefix(path, "/"):
					address = site.URL + path
				case path != "":
					address = path
				}
			}
			found, status := checked(t, site, address, m.env, m.args)
			for _, want := range m.want {
				verdict, rest, _ := strings.Cut(want, " ")
				check, text, _ := strings.Cut(rest, ": ")
				if !slices.ContainsFunc(found, func(f finding) bool {
					return f.Verdict == verdict && f.Check == check && (strings.Contains(f.Found, text) || strings.Contains(f.Do, text))
				}) {
					t.Errorf("nothing is said of %q in:\n%s", want, listed(found))
				}
			}
			problem := slices.ContainsFunc(found, func(f finding) bool { return f.Verdict == "problem" })
			if problem && status != 1 || !problem && status != 0 {
				t.Errorf("exit status %d with:\n%s", status, listed(found))
			}
			for _, f := range found {
				if f.Verdict != "ok" && f.Do == "" {
					t.Errorf("nothing is said of what to do: %s", f)
				}
			}
		})
	}
}

func with(settings, more map[string]string) map[string]string {
	all := map[string]string{}
	for _, from := range []map[string]string{settings, more} {
		for key, value := range from {
			all[key] = value
		}
	}
	return all
}

// Where everything is right and nobody can publish by URL, it says so, and leaves nothing behind.
func TestCheckSaysNothingOfAGoodSite(t *testing.T) {
	for _, server := range []launch.Server{launch.Nginx, launch.ApacheProxy} {
		t.Run(string(server), func(t *testing.T) {
			t.Parallel()
			site := launchSite(t, launch.Options{Server: server, Settings: with(brief, map[string]string{"publish.allow": closed})})
			found, status := checked(t, site, site.URL+"/comet.php", nil, nil)
			if status != 0 {
				t.Errorf("exit status %d", status)
			}
			said := map[string]bool{}
			for _, f := range found {
				said[f.Check] = true
				if f.Verdict != "ok" || f.Do != "" {
					t.Errorf("it says: %s", f)
				}
			}
			for _, check := range []string{"configuration", "directory", "inotify", "open files", "socket", "store", "URL", "header", "clock",
				"delivery", "publish", "cache", "stream", "other sites", "own pages", "other URLs", "time-out"} {
				if !said[check] {
					t.Errorf("it says nothing of %s in:\n%s", check, listed(found))
				}
			}
			if left, err := filepath.Glob(filepath.Join(site.Events, "*")); err != nil || len(left) > 0 {
				t.Errorf("it leaves %q behind (%v)", left, err)
			}
		})
	}
}
