// Package build makes the parts of a program from its settings: the store, the limits of the endpoint, the
// locations and the log.
package build

import (
	"fmt"

	"novcomet/conf"
	"novcomet/core/store"
	"novcomet/core/store/files"
	"novcomet/core/store/memcached"
)

// An Opener opens the store that the settings name. It does not connect; the store does when it is first
// used. An error is about the settings.
type Opener func(conf.Config) (store.Store, error)

// Store opens the store that the settings name. Every program has the files and the memcached store. Clients
// of other stores take time to compile and to start, so each program brings those that it needs.
func Store(c conf.Config, others map[string]Opener) (store.Store, error) {
	switch c.Store {
	case "files":
		f := c.File
		return &files.Store{Directory: f.Directory, Mode: f.Mode, NoCreate: !f.Create, NoWatch: !f.Notify}, nil
	case "memcached":
		m := c.Memcached
		return memcached.Open(memcached.Options{
			Servers: m.Servers, Prefix: c.StorePrefix, Timeout: c.StoreTimeout, Skew: m.Skew,
		})
	}
	if open, ok := others[c.Store]; ok {
		return open(c)
	}
	return nil, fmt.Errorf("store: %s: this program has no client for it: run comet-fcgi, "+
		"or set store to files or memcached", c.Store)
}
