package launch

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/pkg/errors"
)

// Server is a web server and the way in which it runs NovComet.
type Server string

// The servers. Parse also takes "apache" for ApacheCGI.
const (
	ApacheCGI     Server = "apache-cgi"     // mod_cgid starts comet.cgi for each request
	ApachePrefork Server = "apache-prefork" // mod_cgi of mpm_prefork does the same, for the tests alone
	ApacheProxy   Server = "apache-proxy"   // mod_proxy_fcgi in front of comet-fcgi
	ApacheFcgid   Server = "apache-fcgid"   // mod_fcgid starts comet-fcgi, one process for each waiter
	Nginx         Server = "nginx"          // in front of comet-fcgi
	NginxBoth     Server = "nginx-both"     // in front of two comet-fcgi
	Cluster       Server = "cluster"        // nginx in front of two comet-fcgi as on two machines, with Options.Redis
	LighttpdCGI   Server = "lighttpd-cgi"   // mod_cgi starts comet.cgi for each request
	Lighttpd      Server = "lighttpd"       // mod_fastcgi starts one comet-fcgi
	Caddy         Server = "caddy"          // in front of comet-fcgi
)

// Servers returns all of them that need no Redis, and for Apache with CGI the usual mod_cgid.
func Servers() []Server {
	return []Server{ApacheCGI, ApacheProxy, ApacheFcgid, Nginx, NginxBoth, LighttpdCGI, Lighttpd, Caddy}
}

// Parse finds a server by its name; the error names all of them.
func Parse(name string) (Server, error) {
	if name == "apache" {
		return ApacheCGI, nil
	}
	if !slices.Contains(Servers(), Server(name)) { // A Cluster has a Redis, which no name can say.
		return "", errors.Errorf("%q is no server known here: take one of %v, or apache for %s", name, Servers(), ApacheCGI)
	}
	return Server(name), nil
}

// HasDaemon tells whether the server stands in front of a comet-fcgi of its own, which StopDaemon and
// StartDaemon can restart. The others start their programs themselves.
func (s Server) HasDaemon() bool {
	return variants[s].daemon
}

// Reloads tells whether Site.Reload works: where a reload loses no request.
func (s Server) Reloads() bool {
	return variants[s].reload != 0
}

// variant is how one Server is started.
type variant struct {
	shipped string   // the file in examples/ that is tried
	several string   // the file in examples/ with the sockets of two comet-fcgi, where they take the place of one
	yaml    string   // the file in examples/ that their comet.yaml begins with
	sockets []string // of its comet-fcgi, as the files name them
	paths   []string // the canonical paths which the shipped file must contain
	main    string   // the main configuration around it: text/template over site
	program string
	args    []string // {dir} stands for the temporary directory, {address} and {root} for where it listens and the pages
	beside  string   // a file of the system's that the shipped one includes by name
	module  string   // a file that is missing when the package is
	install string   // the packages that bring all this
	daemon  bool     // needs a comet-fcgi beside it

	reload syscall.Signal // makes it read its configuration again, and lose no request; 0: it can't
}

const (
	apacheGraceful = syscall.SIGUSR1 // as apachectl graceful
	modules        = "/usr/lib/apache2/modules/"
)

var variants = map[Server]variant{
	ApacheCGI: {
		shipped: "apache/comet-cgi.conf", paths: []string{cgiBin, settings},
		main: apacheMain, program: "apache2", args: apacheArgs, install: "apache2",
		module: modules + "mod_cgid.so", // mod_cgid's daemon does not survive a reload: a request on its way to it gets 503.
	},
	ApachePrefork: {
		shipped: "apache/comet-cgi.conf", paths: []string{cgiBin},
		main: apacheMain, program: "apache2", args: apacheArgs, install: "apache2",
		module: modules + "mod_cgi.so",
	},
	ApacheProxy: {
		shipped: "apache/comet-proxy.conf", paths: []string{socket}, sockets: []string{socket},
		main: apacheMain, program: "apache2", args: apacheArgs, install: "apache2",
		module: modules + "mod_proxy_fcgi.so", reload: apacheGraceful, daemon: true,
	},
	ApacheFcgid: {
		shipped: "apache/comet-fcgid.conf", paths: []string{bin, settings},
		main: apacheMain, program: "apache2", args: apacheArgs, install: "apache2 libapache2-mod-fcgid",
		module: modules + "mod_fcgid.so", // Nor mod_fcgid's processes: for some seconds there are too few.
	},
	Nginx: {
		shipped: "nginx/comet.conf", paths: []string{socket}, sockets: []string{socket},
		main: nginxMain, program: "nginx", args: []string{"-e", "stderr", "-p", "{dir}", "-c", "{dir}/main.conf"}, install: "nginx",
		beside: "/etc/nginx/fastcgi_params", reload: syscall.SIGHUP, daemon: true,
	},
	NginxBoth: {
		shipped: "nginx/comet.conf", several: "nginx/comet-several.conf", paths: []string{socket},
		sockets: []string{firstSocket, secondSocket},
		main:    nginxMain, program: "nginx", args: []string{"-e", "stderr", "-p", "{dir}", "-c", "{dir}/main.conf"}, install: "nginx",
		beside: "/etc/nginx/fastcgi_params", reload: syscall.SIGHUP, daemon: true,
	},
	Cluster: {
		shipped: "nginx/comet.conf", several: "cluster/comet-cluster.conf", yaml: "cluster/comet.yaml", paths: []string{socket},
		sockets: []string{firstMachine, secondMachine},
		main:    nginxMain, program: "nginx", args: []string{"-e", "stderr", "-p", "{dir}", "-c", "{dir}/main.conf"}, install: "nginx",
		beside: "/etc/nginx/fastcgi_params", reload: syscall.SIGHUP, daemon: true,
	},
	LighttpdCGI: {
		shipped: "lighttpd/50-comet-cgi.conf", paths: []string{cgiBin, settings},
		main: lighttpdMain, program: "lighttpd", args: []string{"-D", "-f", "{dir}/main.conf"}, install: "lighttpd",
	},
	Lighttpd: {
		shipped: "lighttpd/50-comet-fcgi.conf", paths: []string{bin, lighttpdSocket, settings},
		main: lighttpdMain, program: "lighttpd", args: []string{"-D", "-f", "{dir}/main.conf"}, install: "lighttpd",
	},
	Caddy: {
		shipped: "caddy/comet.caddy", paths: []string{socket}, sockets: []string{socket},
		main: caddyMain, program: "caddy", args: []string{"run", "--adapter", "caddyfile", "--config", "{dir}/main.conf"}, install: "caddy",
		daemon: true,
	},
}

// installed returns an error that names the packages to install, or nil.
func (v variant) installed() error {
	_, err := find(v.program)
	if err == nil && v.module != "" {
		_, err = os.Stat(v.module)
	}
	if err != nil {
		return errors.Wrapf(err, "%s is not (completely) installed; on Debian: apt install %s", v.program, v.install)
	}
	return nil
}

// command returns the command line that starts the server in the foreground.
func (s *Site) command(v variant, address string) ([]string, error) {
	here := strings.NewReplacer("{dir}", s.dir, "{address}", address, "{root}", s.options.Root)
	program, err := find(here.Replace(v.program))
	if err != nil {
		return nil, err
	}
	argv := []string{program}
	for _, arg := range v.args {
		argv = append(argv, here.Replace(arg))
	}
	return argv, nil
}

// find also looks where Debian keeps servers, which is not in an ordinary user's PATH.
func find(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	return exec.LookPath(filepath.Join("/usr/sbin", program))
}
