// Package check examines an installation of NovComet: its settings, this machine, and what a browser gets
// from the URL. Each finding has a verdict. A finding that is not OK also names the remedy.
//
// [Run] is the list of all checks. Each check is a method of checker, in a file of its own.
package check

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"novcomet/conf"
	"novcomet/core/event"
	"novcomet/core/store"
)

// Options name what [Run] examines.
type Options struct {
	// Source is where the settings come from.
	Source conf.Source
	// URL is NovComet's address in a browser: http://localhost/comet.php. If URL is empty, Run examines
	// only this machine.
	URL string
	// Wait is the longest time that Run waits for the answer to a poll. The default is tries × sleep and
	// a margin, at most maxWait.
	Wait time.Duration
	// Event is the id that Run subscribes to and publishes. The default is novcomet-check- and a number.
	Event string
	// OpenStore opens the store that the settings name.
	OpenStore func(conf.Config) (store.Store, error)
	// Connections returns how many connections comet-fcgi accepts with this limit of open files.
	Connections func(files uint64) int
	// SourceOf returns the source of the settings of a comet-fcgi with this command line and environment.
	// It fails if the process is not a server.
	SourceOf func(args, environ []string) (conf.Source, error)
}

// maxWait is the longest default of [Options.Wait].
const maxWait = 2 * time.Minute

const ownPrefix = "novcomet-check-"

type checker struct {
	Report
	options Options
	id      event.ID
	config  conf.Config   // the defaults if the settings are invalid
	daemons []procfs.Proc // the running comet-fcgi with these settings
	sockets []string      // their addresses, as in the key listen
	store   store.Store   // nil if it could not be opened

	client *client
	cursor string // the last cursor of the event
	viaURL bool   // publish through the URL; otherwise in the store
}

// Run makes all checks. An error means that the options are invalid.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Event == "" {
		o.Event = fmt.Sprintf("%s%06d", ownPrefix, rand.IntN(1_000_000))
	}
	id, err := event.ParseID(o.Event)
	if err != nil {
		return nil, err
	}
	c := &checker{options: o, id: id}
	if o.URL != "" {
		if c.client, err = newClient(o.URL); err != nil {
			return nil, err
		}
		defer c.client.http.CloseIdleConnections()
	}
	if c.checkSettings() {
		c.checkHost(ctx)
	}
	if c.store != nil {
		defer func() { _ = c.store.Close() }() // An error changes no finding.
	}
	if c.client != nil {
		c.checkSite(ctx)
		c.removeEvent()
	}
	return &c.Report, nil
}

// checkHost examines what the settings name on this machine.
func (c *checker) checkHost(ctx context.Context) {
	c.checkProcess()
	if c.config.Store == "files" && c.checkDirectory() {
		c.checkInotify()
	}
	c.checkOpenFiles()
	c.checkSockets()
	c.checkStore(ctx)
}

// checkSite examines what a browser gets from the URL. A long poll waits all the while.
func (c *checker) checkSite(ctx context.Context) {
	first := c.client.poll(ctx, c.id.String())
	usable := c.checkURL(first)
	if !usable {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	poll := c.startLongPoll(ctx)
	if c.checkConcurrency(ctx, poll) {
		delivers := c.checkPublish(ctx) && c.checkCache(ctx)
		if delivers {
			c.checkWakeup(ctx)
		}
		c.checkStream(ctx, delivers)
		c.checkOtherSites(ctx)
		c.checkOwnPages(ctx)
	}
	c.checkTimeout(poll)
}

// removeEvent removes the file of the check's own event. In memcached and Redis the event stays.
func (c *checker) removeEvent() {
	if c.config.Store != "files" || !strings.HasPrefix(c.id.String(), ownPrefix) {
		return
	}
	c.topic = "publish"
	path := filepath.Join(c.config.File.Directory, c.id.String()+".comet")
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		c.warn("remove the file", "the check could not remove its event: %v", err)
	}
}
