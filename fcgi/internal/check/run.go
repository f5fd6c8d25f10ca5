// Package check examines an installation of NovComet: its settings, this machine, and what a browser gets
// from the URL. Each finding has a verdict. A finding that is not OK also names the remedy.
//
// [Run] makes all checks. Each check is a method of checker.
package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"novcomet/conf"
	"novcomet/core/event"
	"novcomet/core/store"
)

// Options name what [Run] examines.
type Options struct {
	Source conf.Source   // where the settings come from
	URL    string        // NovComet's address in a browser; "": examine only this machine
	Wait   time.Duration // the longest time to wait for the answer to a poll, which takes tries × sleep; 0: 2m
	Socket string        // if set, only test whether comet-fcgi answers on this address
	Event  string        // the id to subscribe to and to publish; "": novcomet-check- and a number

	OpenStore func(conf.Config) (store.Store, error) // opens the store that the settings name
}

type checker struct {
	Report
	options Options
	id      event.ID
	config  conf.Config // the defaults if the settings are invalid
	file    string      // the settings file, "" if there is none
	store   store.Store // nil if it could not be opened

	client   *client
	long     chan answer   // gets the answer to the long poll
	longWait time.Duration // how long the check waits for it
	cursor   string        // the last cursor of the event
	method   string        // by which the check publishes through the URL; "": it publishes in the store
}

// Run makes all checks. An error means that the options are invalid.
func Run(ctx context.Context, o Options) (*Report, error) {
	id, err := event.ParseID(cmp.Or(o.Event, fmt.Sprintf("novcomet-check-%06d", rand.IntN(1_000_000))))
	if err != nil {
		return nil, err
	}
	c := &checker{options: o, id: id}
	if o.Socket != "" {
		c.checkHealth()
		return &c.Report, nil
	}
	if o.URL != "" {
		if c.client, err = newClient(o.URL); err != nil {
			return nil, err
		}
		defer c.client.http.CloseIdleConnections()
	}
	if c.checkSettings() {
		if c.config.Store == "files" && c.checkDirectory() && c.config.File.Notify {
			c.checkInotify()
		}
		c.checkSocket()
		c.checkStore(ctx)
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

// checkSite examines what a browser gets from the URL. A long poll waits all the while.
func (c *checker) checkSite(ctx context.Context) {
	if !c.checkURL(ctx) {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.startLongPoll(ctx)
	if c.checkConcurrency(ctx) {
		if c.checkPublish(ctx) && c.checkCache(ctx) {
			c.checkWakeup(ctx)
			c.checkStream(ctx)
		}
		c.checkOwnPages(ctx)
	}
	c.checkTimeout()
}

// removeEvent removes the file of the check's own event. In memcached and Redis the event stays.
func (c *checker) removeEvent() {
	c.topic = "publish"
	if c.config.Store != "files" || c.options.Event != "" {
		return
	}
	err := os.Remove(filepath.Join(c.config.File.Directory, c.id.String()+".comet"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		c.warn("remove the file", "the check could not remove its event: %v", err)
	}
}
