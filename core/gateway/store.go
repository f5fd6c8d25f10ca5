package gateway

import (
	"crypto/tls"
	"fmt"
	"os"
	"strings"

	"github.com/pkg/errors"

	"novcomet/conf"
	"novcomet/core"
	"novcomet/core/memcached"
	"novcomet/core/redis"
)

// Store opens the store of the configuration. Nothing is connected to before it is used. shut closes its connections, when
// nobody uses it any more. An error is about what the configuration says.
func Store(config conf.Config) (store core.Store, shut func() error, err error) {
	switch config.Store {
	case "files":
		f := config.File
		return &core.Files{Directory: f.Directory, Mode: f.Mode, OnlyExisting: !f.Create, Unwatched: !f.Notify}, func() error { return nil }, nil
	case "memcached":
		m := config.Memcached
		store, err := memcached.Open(memcached.Options{Servers: m.Servers, Prefix: m.Prefix, Timeout: m.Timeout, Skew: m.Skew})
		if err != nil {
			return nil, nil, err
		}
		return store, store.Close, nil
	case "redis":
		return openRedis(config.Redis)
	default:
		panic("a store that conf does not allow: " + config.Store)
	}
}

func openRedis(r conf.Redis) (core.Store, func() error, error) {
	password, err := password(r)
	if err != nil {
		return nil, nil, err
	}
	options := redis.Options{
		Addresses: r.Addresses, Master: r.Master, Username: r.Username, Password: password, DB: r.DB,
		Prefix: r.Prefix, Expire: r.Expire, Timeout: r.Timeout,
	}
	if r.TLS {
		options.TLS = new(tls.Config)
	}
	store, err := redis.Open(options)
	if err != nil {
		return nil, nil, err
	}
	return store, store.Close, nil
}

// password is read anew each time, so that a reload takes a new one over.
func password(r conf.Redis) (string, error) {
	if r.PasswordFile == "" {
		return string(r.Password), nil
	}
	const enough = 4096
	content, err := os.ReadFile(r.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("redis.password_file: %w", errors.Wrap(err, "read the password"))
	}
	password := strings.TrimRight(string(content), "\r\n")
	if password == "" || len(password) > enough {
		return "", errors.Errorf("redis.password_file: %s: a password has 1 to %d bytes", r.PasswordFile, enough)
	}
	return password, nil
}
