package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"strings"

	"github.com/pkg/errors"

	"novcomet/conf"
	"novcomet/conf/build"
	"novcomet/core/store"
	"novcomet/core/store/redis"
)

// openStore opens the store that the settings name.
func openStore(c conf.Config) (store.Store, error) {
	return build.Store(c, map[string]build.Opener{"redis": openRedis})
}

func openRedis(c conf.Config) (store.Store, error) {
	r := c.Redis
	password, err := readPassword(r.PasswordFile)
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

func readPassword(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	const longest = 4096
	content, err := os.ReadFile(file)
	if err != nil {
		return "", errors.Wrap(err, "redis.password_file")
	}
	password := strings.TrimRight(string(content), "\r\n")
	if password == "" || len(password) > longest {
		return "", fmt.Errorf("redis.password_file: %s: a password has 1 to %d bytes", file, longest)
	}
	return password, nil
}
