package launch

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// startTime limits the wait for a server's first answer.
const startTime = 20 * time.Second

// startInterval is the time between two attempts to reach a server that is starting.
const startInterval = 10 * time.Millisecond

// Options describe the server to start. Only Server is required.
type Options struct {
	Server    Server
	Root      string // the directory of the pages; default: examples/browser
	Directory string // the directory of the events; default: a new one in the temporary directory
	Port      int    // on 127.0.0.1; default: a free one

	// Settings are further keys of comet.yaml, with values in YAML: "sleep": "0.1", "file.mode": `"0600"`.
	Settings map[string]string

	// Extra has lines for the server's own configuration: for the server block of nginx, the site block of
	// Caddy. In Extra, HTTP and Replace, {dir} is the temporary directory. The server may write there. It
	// contains cgi-bin/comet.cgi and bin/comet-fcgi.
	Extra string

	// HTTP has lines for the http block of nginx.
	HTTP string

	// Blocks names blocks of settings that are comments in the example file. Their comment signs are removed.
	// A name is a part of the comment above the block, which ends with a colon: "Publish only by POST".
	Blocks []string

	// Replace has words of the example file, such as an address, and their replacements.
	Replace map[string]string

	// Users has the names and passwords for the file comet.htpasswd of the example file.
	Users map[string]string

	// Redis is the address of the Redis of a Cluster. Other servers have none.
	Redis string

	// WorkerConnections is the setting of nginx for each of two workers. By default nginx has one worker,
	// with as many connections as it may have open files.
	WorkerConnections int

	// HoldSocket keeps comet-fcgi's listening socket open in this process, as systemd does: requests wait
	// while comet-fcgi is stopped. By default comet-fcgi opens its socket itself, and while it is stopped the
	// web server answers 502 or 503.
	HoldSocket bool

	// Log receives the output of the server and of NovComet, in addition to Site.Log.
	Log io.Writer
}

// Site is a running server. Do not change its fields.
type Site struct {
	URL    string // "http://127.0.0.1:PORT", without a slash at the end; the endpoint is URL + "/comet.php"
	Events string // the directory of the events
	User   string // the user of the server and NovComet: that of this process, but for root www-data or nobody

	options    Options
	dir        string      // the temporary directory
	source     string      // the directory of NovComet's module
	credential *credential // nil for the user of this process
	log        *log
	server     *process
	daemon     *process // comet-fcgi, if the server does not start it
	second     *process // the second comet-fcgi of NginxBoth and Cluster
	held       *net.UnixListener
	machines   map[string]string // addresses in the files of a Cluster, and their replacements
	stop       sync.Once
	stopped    error
}

// Start starts a server and returns when it answers. The context limits only the start. A site runs until
// Stop or until this process ends. The caller must call Stop.
func Start(ctx context.Context, o Options) (*Site, error) {
	v, ok := variants[o.Server]
	if !ok {
		return nil, fmt.Errorf("%q is not a known server", o.Server)
	}
	if (v.yaml != "") != (o.Redis != "") {
		return nil, fmt.Errorf("%s: only %s has a Redis, and it needs one", o.Server, Cluster)
	}
	if err := v.installed(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime+buildTime)
	defer cancel()
	s, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := s.start(ctx, v); err != nil {
		s.Stop()
		return nil, errors.Wrapf(err, "%s does not start; its output is:\n%s\n", o.Server, s.Log())
	}
	return s, nil
}

// Reload makes the web server read its configuration again, as `systemctl reload` does, and returns at once.
// New processes accept connections from then on. The old ones close idle connections, answer the requests
// that they have, and end.
func (s *Site) Reload() error {
	if !s.options.Server.Reloads() {
		return fmt.Errorf("%s cannot be reloaded without losing requests", s.options.Server)
	}
	return errors.Wrap(s.server.cmd.Process.Signal(variants[s.options.Server].reload), "reloading the web server")
}
