package gateway

import (
	"fmt"

	"novcomet/conf"
	"novcomet/core"
	"novcomet/core/memcached"
)

// An Opener opens the store that the settings name. It connects to nothing: the store connects when it is first used.
// shut closes the connections. An error is about the settings.
type Opener func(conf.Config) (store core.Store, shut func() error, err error)

// Store opens the store that the settings name, as an [Opener] does. Every program has the files and the memcached store.
// A client for others takes time to compile and to start, so each program brings those it has.
func Store(config conf.Config, others map[string]Opener) (store core.Store, shut func() error, err error) {
	switch config.Store {
	case "files":
		f := config.File
		return &core.Files{Directory: f.Directory, Mode: f.Mode, OnlyExisting: !f.Create, Unwatched: !f.Notify}, func() error { return nil }, nil
	case "memcached":
		m := config.Memcached
		store, err := memcached.Open(memcached.Options{Servers: m.Servers, Prefix: config.StorePrefix, Timeout: config.StoreTimeout, Skew: m.Skew})
		if err != nil {
			return nil, nil, err
		}
		return store, store.Close, nil
	}
	if open, ok := others[config.Store]; ok {
		return open(config)
	}
	return nil, nil, fmt.Errorf("store: %s: this program has no client for it: run comet-fcgi, or set store to files or memcached", config.Store)
}
