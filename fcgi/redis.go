package main

import (
	"crypto/tls"
	"os"
	"strings"

	"github.com/pkg/errors"

	"novcomet/conf"
	"novcomet/core"
	"novcomet/core/gateway"
	"novcomet/core/redis"
)

// openStore opens the store that the settings name.
func openStore(config conf.Config) (core.Store, func() error, error) {
	return gateway.Store(config, map[string]gateway.Opener{"redis": openRedis})
}

func openRedis(config conf.Config) (core.Store, func() error, error) {
	r := config.Redis
	password, err := password(r.PasswordFile)
	if err != nil {
		return nil, nil, err
	}
	options := redis.Options{
		Addresses: r.Addresses, Master: r.Master, Username: r.Username, Password: password,
		Prefix: config.StorePrefix, Expire: r.Expire, Timeout: config.StoreTimeout,
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

// password reads the file of the password. Each reload opens the store again, and so reads a new password.
func password(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	const enough = 4096
	content, err := os.ReadFile(file)
	if err != nil {
		return "", errors.Wrap(err, "redis.password_file")
	}
	password := strings.TrimRight(string(content), "\r\n")
	if password == "" || len(password) > enough {
		return "", errors.Errorf("redis.password_file: %s: a password has 1 to %d bytes", file, enough)
	}
	return password, nil
}
