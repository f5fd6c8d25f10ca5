package launch

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/pkg/errors"
)

// Server is a web server and its way to run NovComet.
type Server string

const (
	ApacheCGI     Server = "apache-cgi"     // mod_cgid starts comet.cgi for each request
	ApachePrefork Server = "apache-prefork" // mod_cgi starts comet.cgi for each request (mpm_prefork)
	ApacheProxy   Server = "apache-proxy"   // mod_proxy_fcgi in front of comet-fcgi
	ApacheFcgid   Server = "apache-fcgid"   // mod_fcgid starts one comet-fcgi for each waiting browser
	Nginx         Server = "nginx"          // in front of comet-fcgi
	NginxBoth     Server = "nginx-both"     // in front of two comet-fcgi
	Cluster       Server = "cluster"        // nginx in front of two comet-fcgi that share Options.Redis
	LighttpdCGI   Server = "lighttpd-cgi"   // mod_cgi starts comet.cgi for each request
	Lighttpd      Server = "lighttpd"       // mod_fastcgi starts one comet-fcgi
	Caddy         Server = "caddy"          // in front of comet-fcgi
)

// Servers returns the servers that a user can choose by name: all except Cluster, which needs a Redis, and
// ApachePrefork, which is for tests.
func Servers() []Server {
	return []Server{ApacheCGI, ApacheProxy, ApacheFcgid, Nginx, NginxBoth, LighttpdCGI, Lighttpd, Caddy}
}

// Parse returns the server with this name. "apache" is ApacheCGI. The error lists the names.
func Parse(name string) (Server, error) {
	if name == "apache" {
		return ApacheCGI, nil
	}
	if !slices.Contains(Servers(), Server(name)) {
		return "", fmt.Errorf("%q is not a known server: choose one of %v or apache, which is %s",
			name, Servers(), ApacheCGI)
	}
	return Server(name), nil
}

// HasDaemon reports whether comet-fcgi runs beside the server, so that StopDaemon and StartDaemon can restart
// it. Other servers start their programs themselves.
func (s Server) HasDaemon() bool {
	return len(variants[s].sockets) > 0
}

// Reloads reports whether Site.Reload works. It does where a reload loses no request.
func (s Server) Reloads() bool {
	return variants[s].reload != 0
}

// variant describes how a Server is started.
type variant struct {
	example  string   // the file in examples/
	upstream string   // the file in examples/ with the sockets, if example does not have them
	yaml     string   // the file in examples/ with which comet.yaml begins
	sockets  []string // of the comet-fcgi beside the server, as the example files name them; empty: none
	paths    []string // the paths that the example file must contain
	main     string   // the main configuration, a template
	program  string
	args     []string // {dir} is the temporary directory
	include  string   // a file of the system that the example file includes by its name
	module   string   // a file of one of the packages
	install  string   // the packages to install

	// reload is the signal that makes the server read its configuration again without losing a request. It is
	// 0 if there is none. A reload restarts the daemon of mod_cgid, so that requests get 503, and the
	// processes of mod_fcgid, so that there are too few of them for some seconds.
	reload syscall.Signal
}

const modules = "/usr/lib/apache2/modules/"

var variants = map[Server]variant{
	ApacheCGI: apache(variant{
		example: "apache/comet-cgi.conf", paths: []string{cgiBin, settings}, module: modules + "mod_cgid.so",
	}),
	ApachePrefork: apache(variant{
		example: "apache/comet-cgi.conf", paths: []string{cgiBin}, module: modules + "mod_cgi.so",
	}),
	ApacheProxy: apache(variant{
		example: "apache/comet-proxy.conf", paths: []string{socket}, sockets: []string{socket},
		module: modules + "mod_proxy_fcgi.so", reload: syscall.SIGUSR1, // as apachectl graceful
	}),
	ApacheFcgid: apache(variant{
		example: "apache/comet-fcgid.conf", paths: []string{bin, settings},
		module: modules + "mod_fcgid.so", install: "apache2 libapache2-mod-fcgid",
	}),
	Nginx: nginx(variant{
		upstream: "nginx/comet-upstream.conf", sockets: []string{socket},
	}),
	NginxBoth: nginx(variant{
		upstream: "nginx/comet-several.conf", sockets: []string{firstSocket, secondSocket},
	}),
	Cluster: nginx(variant{
		upstream: "cluster/comet-cluster.conf", yaml: "cluster/comet.yaml",
		sockets: []string{firstMachine, secondMachine},
	}),
	LighttpdCGI: lighttpd(variant{
		example: "lighttpd/50-comet-cgi.conf", paths: []string{cgiBin, settings},
	}),
	Lighttpd: lighttpd(variant{
		example: "lighttpd/50-comet-fcgi.conf", paths: []string{bin, lighttpdSocket, settings},
	}),
	Caddy: {
		example: "caddy/comet.caddy", paths: []string{socket}, sockets: []string{socket},
		main: caddyMain, program: "caddy", install: "caddy",
		args: []string{"run", "--adapter", "caddyfile", "--config", "{dir}/main.conf"},
	},
}

func apache(v variant) variant {
	v.main, v.program, v.args = apacheMain, "apache2", []string{"-D", "FOREGROUND", "-f", "{dir}/main.conf"}
	v.install = cmp.Or(v.install, "apache2")
	return v
}

func nginx(v variant) variant {
	v.example, v.reload = "nginx/comet.conf", syscall.SIGHUP
	v.main, v.program, v.install, v.include = nginxMain, "nginx", "nginx", "/etc/nginx/fastcgi_params"
	v.args = []string{"-e", "stderr", "-p", "{dir}", "-c", "{dir}/main.conf"}
	return v
}

func lighttpd(v variant) variant {
	v.main, v.program, v.install = lighttpdMain, "lighttpd", "lighttpd"
	v.args = []string{"-D", "-f", "{dir}/main.conf"}
	return v
}

// installed returns an error that names the packages to install, or nil.
func (v variant) installed() error {
	_, err := find(v.program)
	if err == nil && v.module != "" {
		_, err = os.Stat(v.module)
	}
	if err != nil {
		return errors.Wrapf(err, "%s is not installed completely; on Debian: apt install %s", v.program, v.install)
	}
	return nil
}

// command returns the command line that starts the server in the foreground.
func (s *Site) command(v variant) ([]string, error) {
	program, err := find(v.program)
	if err != nil {
		return nil, err
	}
	argv := []string{program}
	for _, arg := range v.args {
		argv = append(argv, s.expand(arg))
	}
	return argv, nil
}

// find returns the path of a program. It also searches /usr/sbin, which is not in an ordinary user's PATH.
func find(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	return exec.LookPath(filepath.Join("/usr/sbin", program))
}
