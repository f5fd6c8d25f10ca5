package main

import (
	"crypto/tls"

	"novcomet/conf"
	"novcomet/conf/build"
	"novcomet/core/store"
	"novcomet/core/store/redis"
)

// openStore opens the store that the settings name.
func openStore(c conf.Config) (build.OpenedStore, error) {
	return build.Store(c, map[string]build.Opener{"redis": openRedis})
}

func openRedis(c conf.Config) (store.Store, error) {
	r := c.Redis
	password, err := r.Password()
	if err != nil {
		return nil, err
	}
	options := redis.Options{
		Addresses: r.Addresses, Master: r.Master, Username: r.Username, Password: password,
		Prefix: c.StorePrefix, Expire: r.Expire, Timeout: c.StoreTimeout,
	}
	if r.TLS {
		options.TLS = new(tls.Config)
	}
	return redis.Open(options)
}
