package launch

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// startTime bounds the wait for a server's first answer; a loaded machine may need some seconds.
const startTime = 20 * time.Second

// startInterval is the time between two attempts to reach a server that starts.
const startInterval = 10 * time.Millisecond

// Options say what to start. Only Server is needed.
type Options struct {
	Server    Server
	Root      string            // the directory of the pages; default: examples/browser
	Directory string            // where the events are; default: a new one inside the temporary directory
	Port      int               // on 127.0.0.1; default: a free one
	Settings  map[string]string // further keys of comet.yaml and their values, as YAML: "sleep": "0.1", "file.mode": `"0600"`
	Extra     string            // lines for the web server's own configuration, in nginx' server block, in Caddy's site block; {dir} as in HTTP
	Log       io.Writer         // gets what the server and NovComet have to say, besides Site.Log; default: nothing

	// Blocks are blocks of settings to be put into force that are comments in the shipped file, each named by words in the line
	// or lines above it that end with a colon: "Publish only by POST".
	Blocks []string
	// Replace says what stands for words of the shipped file, such as an address: a test's own. {dir} as in HTTP.
	Replace map[string]string
	// Users have these passwords in the file that the shipped one calls comet.htpasswd.
	Users map[string]string

	// Redis is the address of the server that a Cluster has its events in; for no other.
	Redis string

	// HTTP is lines for nginx' http block. {dir} stands for the site's directory, which may be written and has
	// cgi-bin/comet.cgi and bin/comet-fcgi.
	HTTP string

	// WorkerConnections is nginx' setting for each of two workers; default: one worker with as many as it may open files.
	WorkerConnections int

	// HoldSocket keeps comet-fcgi's listening socket open in this process, as systemd does: requests
	// wait while comet-fcgi is stopped. Default: comet-fcgi listens for itself, and a web server
	// answers 502 or 503 meanwhile.
	HoldSocket bool
}

// Site is a running server. Its fields must not be changed.
type Site struct {
	URL    string // "http://127.0.0.1:PORT", without a slash at the end; the endpoint is URL + "/comet.php"
	Events string // the directory of the events
	User   string // whom the server and NovComet run as: this process's user, or if that is root an ordinary one (www-data, nobody)

	options    Options
	dir        string      // everything the server reads and writes
	source     string      // the clone it is started from
	credential *credential // nil: this process's own user
	log        *log
	server     *process
	daemon     *process // comet-fcgi, where it was started here
	second     *process // another comet-fcgi, where there are two
	held       *net.UnixListener
	machines   map[string]string // the addresses that stand for those of a Cluster's files
	stop       sync.Once
	stopped    error
}

// Start starts a server and returns when it answers. The context only bounds the start: a site runs
// until Stop, which must be called, or until this process ends, however it ends.
func Start(ctx context.Context, o Options) (*Site, error) {
	v, ok := variants[o.Server]
	if !ok {
		_, err := Parse(string(o.Server))
		return nil, err
	}
	if (v.yaml != "") != (o.Redis != "") {
		return nil, errors.Errorf("%s: Redis is for a %s, which needs it", o.Server, Cluster)
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
		return nil, errors.Wrapf(err, "%s does not start; it said:\n%s\n", o.Server, s.Log())
	}
	return s, nil
}
