package e2e_test

import (
	"os"
	"testing"

	"novcomet/examples/internal/launch"
)

// mistake is a mistake of an administrator, and what comet-fcgi check must find.
type mistake struct {
	name    string
	server  launch.Server
	options launch.Options
	spoil   func(t *testing.T, site *launch.Site)        // is called when the site runs
	url     func(t *testing.T, site *launch.Site) string // default: that of /comet.php
	env     []string                                     // variables of the check
	want    []string                                     // for checkFindings.has
}

const nobody = "none" // for publish.allow

var mistakes = []mistake{
	{
		// On connections that are kept, nginx passes on each part of an answer at once.
		name: "nginx buffers streams", server: launch.Nginx,
		options: launch.Options{Replace: map[string]string{
			"fastcgi_keep_conn on;": "fastcgi_ignore_headers X-Accel-Buffering;",
		}},
		want: []string{"problem stream: buffering", "problem stream: fastcgi_ignore_headers"},
	}, {
		name: "nginx does not pass on X-Accel-Buffering to another nginx", server: launch.Nginx,
		options: launch.Options{Replace: map[string]string{"fastcgi_pass_header X-Accel-Buffering;": ""}},
		url:     urlBehindNginx,
		want:    []string{"problem stream: buffering", "problem stream: fastcgi_pass_header X-Accel-Buffering"},
	}, {
		name: "another nginx changes Host", server: launch.Nginx,
		options: launch.Options{Settings: map[string]string{"publish.allow": nobody}},
		url:     urlBehindNginx,
		want: []string{
			"problem own pages: HTTP 403", "problem own pages: proxy_set_header Host $http_host",
			"ok stream: an event after",
		},
	}, {
		name: "mod_fcgid buffers streams", server: launch.ApacheFcgid,
		options: launch.Options{Replace: map[string]string{"FcgidOutputBufferSize 0": "FcgidOutputBufferSize 65536"}},
		want:    []string{"problem stream: buffering", "problem stream: FcgidOutputBufferSize 0"},
	}, {
		name: "nginx has a time-out shorter than a poll", server: launch.Nginx,
		options: launch.Options{Replace: map[string]string{"fastcgi_read_timeout 75s;": "fastcgi_read_timeout 2s;"}},
		want:    []string{"problem time-out: HTTP 504 after ", "problem time-out: fastcgi_read_timeout"},
	}, {
		name: "Apache has a time-out shorter than a poll", server: launch.ApacheProxy,
		options: launch.Options{Replace: map[string]string{"ProxySet timeout=75": "ProxySet timeout=2"}},
		want:    []string{"problem time-out: HTTP 504 after ", "problem time-out: ProxyTimeout"},
	}, {
		name: "nginx may not connect to the socket", server: launch.Nginx,
		spoil: func(t *testing.T, site *launch.Site) { chmod(t, site.Socket(), 0) },
		want: []string{
			"warning socket: may not connect", "warning socket: socket.group",
			"problem URL: HTTP 502", "problem URL: socket.group",
		},
	}, {
		name: "every user may connect to the socket", server: launch.Nginx,
		spoil: func(t *testing.T, site *launch.Site) { chmod(t, site.Socket(), 0o666) },
		want:  []string{"warning socket: every user of this machine may connect"},
	}, {
		name: "comet-fcgi is not started", server: launch.Nginx,
		spoil: stopDaemon,
		want: []string{
			"problem socket: no such file", "problem URL: HTTP 502: the web server does not reach comet-fcgi",
		},
	}, {
		name: "comet-fcgi may not write in the directory", server: launch.Nginx,
		spoil: func(t *testing.T, site *launch.Site) { chmod(t, site.Events, 0o555) },
		want:  []string{"warning directory: may not write there", "problem publish: does not accept a publication"},
	}, {
		name: "the directory is missing", server: launch.Nginx,
		spoil: func(t *testing.T, site *launch.Site) {
			if err := os.Rename(site.Events, site.Events+"-elsewhere"); err != nil {
				t.Fatal(err)
			}
		},
		want: []string{
			"problem directory: no such file", "problem directory: install -d", "problem publish: HTTP 503",
		},
	}, {
		name: "nginx caches answers", server: launch.Nginx,
		options: launch.Options{
			HTTP: "fastcgi_cache_path {dir}/cache keys_zone=cache:1m;",
			Extra: "fastcgi_cache cache; fastcgi_cache_key $request_uri; fastcgi_cache_valid 200 1m; " +
				"fastcgi_ignore_headers Cache-Control;",
		},
		want: []string{"problem cache: same answer after a publication", "problem cache: fastcgi_cache"},
	}, {
		name: "nginx allows browsers to cache answers", server: launch.Nginx,
		options: launch.Options{Extra: `fastcgi_hide_header Cache-Control; add_header Cache-Control "max-age=60";`},
		want: []string{
			`problem header: Cache-Control is "max-age=60" and not no-store`, "problem header: add_header",
		},
	}, {
		name: "the URL is that of a page", server: launch.Nginx,
		url:  func(_ *testing.T, site *launch.Site) string { return site.URL + "/" },
		want: []string{"problem URL: HTTP 200: NovComet does not answer here: <"},
	}, {
		name: "the server has nothing at the URL", server: launch.ApacheProxy,
		url:  func(_ *testing.T, site *launch.Site) string { return site.URL + "/comet.cgi" },
		want: []string{"problem URL: HTTP 404"},
	}, {
		name: "mod_fcgid has one process for all browsers", server: launch.ApacheFcgid,
		options: launch.Options{
			Replace:  map[string]string{"FcgidMaxProcessesPerClass 200": "FcgidMaxProcessesPerClass 1"},
			Settings: map[string]string{"tries": "10"},
		},
		want: []string{
			"problem delivery: while one poll waits, another is not answered",
			"problem delivery: FcgidMaxProcessesPerClass",
		},
	}, {
		name: "a setting is invalid", server: launch.Nginx, env: []string{"COMET_SLEEP=soon"},
		want: []string{`problem configuration: COMET_SLEEP: sleep: "soon" is not a duration`},
	}, {
		name: "a setting of the location is invalid", server: launch.Nginx,
		options: launch.Options{Replace: map[string]string{
			"include fastcgi_params;": "include fastcgi_params; fastcgi_param COMET_TRIES many;",
		}},
		want: []string{"problem URL: HTTP 500: the settings of this location are invalid"},
	}, {
		name: "another comet.yaml is in force behind the URL", server: launch.Nginx,
		options: launch.Options{Settings: map[string]string{"publish.allow": nobody}},
		env:     []string{"COMET_FILE_DIRECTORY=/dev/shm"},
		want:    []string{"problem delivery: a publication is not seen through the URL"},
	}, {
		name: "Redis is not started", server: launch.Nginx,
		options: launch.Options{Settings: map[string]string{"store": "redis", "redis.addresses": "127.0.0.1:1"}},
		want: []string{
			"problem store: the store redis does not answer", "problem store: start it",
			"problem publish: does not accept a publication",
		},
	}, {
		name: "memcached is not started", server: launch.Nginx,
		options: launch.Options{Settings: map[string]string{"store": "memcached", "memcached.servers": "127.0.0.1:1"}},
		want: []string{
			"problem store: the store memcached does not answer", "problem publish: does not accept a publication",
		},
	}, {
		name: "everybody may publish", server: launch.Nginx,
		want: []string{"warning publish: without a name", "warning publish: publish.allow"},
	},
}

func urlBehindNginx(t *testing.T, site *launch.Site) string {
	return behindNginx(t, site).URL + "/comet.php"
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
