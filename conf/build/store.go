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

// OpenedStore is a store that a program has opened.
type OpenedStore struct {
	store.Store
	probe func() error
}

// Probe finds out whether the store's stamps are exact enough, and how exact they are. If it is called,
// call it before the store is used. Only the files are probed: a memcached or Redis server may start later.
func (o OpenedStore) Probe() error {
	if o.probe == nil {
		return nil
	}
	return o.probe()
}

// An Opener opens the store that the settings name. It does not connect; the store does when it is first
// used. An error is about the settings.
type Opener func(conf.Config) (store.Store, error)

// Store opens the store that the settings name. Every program has the files and the memcached store. Clients
// of other stores take time to compile and to start, so each program brings those that it needs.
func Store(c conf.Config, others map[string]Opener) (OpenedStore, error) {
	switch c.Store {
	case "files":
		f := c.File
		s := &files.Store{Directory: f.Directory, Mode: f.Mode, NoCreate: !f.Create, NoWatch: !f.Notify}
		return OpenedStore{s, func() error {
			err := s.Probe()
			if err != nil {
				err = fmt.Errorf("file.directory: %w", err)
			}
			return err
		}}, nil
	case "memcached":
		m := c.Memcached
		s, err := memcached.Open(memcached.Options{
			Servers: m.Servers, Prefix: c.StorePrefix, Timeout: c.StoreTimeout, Skew: m.Skew,
		})
		return OpenedStore{Store: s}, err
	}
	open, ok := others[c.Store]
	if !ok {
		return OpenedStore{}, fmt.Errorf("store: %s: this program has no client for it: run comet-fcgi, "+
			"or set store to files or memcached", c.Store)
	}
	s, err := open(c)
	return OpenedStore{Store: s}, err
}
