// Package check looks at NovComet as an administrator would, before the users do: at the configuration, the directory, the limits,
// the socket and the store of this machine, and, through the web server, at what a browser gets. Each finding has a verdict and,
// where something is wrong, what to do.
//
// report.go is what is found and print.go how it is shown; settings.go, directory.go, rights.go, limits.go, inotify.go, socket.go,
// nginx.go and store.go look at this machine, process.go knows the processes that matter there; web.go asks the URL, doors.go others
// of the same host, and endpoint.go, publish.go, freshness.go, clock.go, wake.go, stream.go, data.go and patience.go judge what comes.
package check

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/pkg/errors"

	"novcomet/conf"
	"novcomet/core"
)

// Options say what to look at.
type Options struct {
	// Source is where the configuration comes from.
	Source conf.Source
	// URL is that of NovComet in a browser, http://localhost/comet.php; empty: only this machine is looked at.
	URL string
	// Wait is how long a poll is waited for, to find time-outs that are shorter; 0: until it is answered, at most LongestWait.
	Wait time.Duration
	// Event is the id that is subscribed to and published; empty: one of its own, novcomet-check- and a number.
	Event string
	// Store opens the store of a configuration.
	Store func(conf.Config) (core.Store, func() error, error)
	// Connections is how many connections comet-fcgi serves with a limit of open files.
	Connections func(files uint64) int
}

// LongestWait bounds a check whose poll waits for very long.
const LongestWait = 2 * time.Minute

// checker looks at things, and reports.
type checker struct {
	*Report
	Options
	id     core.ID
	config conf.Config
	known  bool       // config is
	store  core.Store // nil: there is none that could be opened
	shut   func() error
	daemon *process // the running comet-fcgi; nil: not found
}

// Run looks at everything. An error says that the options are wrong.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Event == "" {
		o.Event = fmt.Sprintf("novcomet-check-%06d", rand.IntN(1_000_000))
	}
	id, err := core.ParseID(o.Event)
	if err != nil {
		return nil, err
	}
	c := &checker{Report: &Report{}, Options: o, id: id}
	var page *web
	if o.URL != "" {
		if page, err = c.web(o.URL); err != nil {
			return nil, err
		}
	}
	if c.configuration() {
		c.machine(ctx)
	}
	if c.shut != nil {
		defer func() { _ = c.shut() }() // It was only looked at.
	}
	if page != nil {
		page.look(ctx)
		c.tidy()
	}
	return c.Report, nil
}

// machine looks at what the configuration names on this machine.
func (c *checker) machine(ctx context.Context) {
	c.daemon = findDaemon(c.socketPath())
	if c.config.Store == "files" {
		if c.directory() {
			c.watching()
		}
	}
	c.files()
	c.socket()
	c.nginx()
	c.reach(ctx)
}

// tidy removes the event of the check, unless it was the administrator's. In a store that is no directory it stays.
func (c *checker) tidy() {
	if !c.known || c.config.Store != "files" || c.mine() {
		return
	}
	err := os.Remove(filepath.Join(c.config.File.Directory, c.id.String()+".comet"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		c.warn("publish", "remove it", "the check could not remove the file of the event %s: %v", c.id, err)
	}
}

// mine reports whether the event is one of the administrator's.
func (c *checker) mine() bool {
	return len(c.id.String()) < len(prefix) || c.id.String()[:len(prefix)] != prefix
}

const prefix = "novcomet-check-"
