//go:build e2e

package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"novcomet/conf"
	"novcomet/core"
	"novcomet/core/memcached/memcachedtest"
	"novcomet/core/redis/redistest"
)

func load(t *testing.T, environ ...string) conf.Config {
	t.Helper()
	config, err := conf.Load(conf.Source{Environ: append(environ, "COMET_CONFIG=/dev/null")})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// One key of each holds for both stores: the prefix of the keys on the server, and how long a server may take to answer.
func TestStore_PrefixAndTimeoutHoldForEachServer(t *testing.T) {
	id, err := core.ParseID("a")
	if err != nil {
		t.Fatal(err)
	}
	cached, redis := memcachedtest.Start(t), redistest.Start(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // It takes connections and answers nothing.
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, server := range map[string]struct {
		key, address string
		has          func() bool
	}{
		"memcached": {"COMET_MEMCACHED_SERVERS=", cached.Address, func() bool { return cached.Do("get site-2:a") != "END" }},
		"redis":     {"COMET_REDIS_ADDRESSES=", redis.Address(), func() bool { return redis.Do("EXISTS", "site-2:a") == int64(1) }},
	} {
		publish := func(settings ...string) error {
			store, shut, err := openStore(load(t, append(settings, "COMET_STORE="+name)...))
			if err != nil {
				t.Fatal(err)
			}
			defer shut()
			_, err = store.Publish(t.Context(), id)
			return err
		}
		if err := publish(server.key+server.address, "COMET_STORE_PREFIX=site-2:"); err != nil || !server.has() {
			t.Errorf("%s: %v; has the key: %v", name, err, server.has())
		}
		begin := time.Now()
		if err := publish(server.key+silent.Addr().String(), "COMET_STORE_TIMEOUT=50ms"); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("%s: %v; want that the server is not available", name, err)
		}
		if took := time.Since(begin); took > 800*time.Millisecond {
			t.Errorf("%s: a silent server was given up after %v, want 50ms", name, took)
		}
	}
}

func TestRedis_ReadsThePasswordFromAFile(t *testing.T) {
	const password = " s3cr3t pa55 "
	server := &redistest.Server{Password: password}
	server.Start(t)
	file := filepath.Join(t.TempDir(), "password")
	for _, content := range []string{password + "\n", password + "\r\n", password} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		store, shut, err := openStore(load(t, "COMET_STORE=redis", "COMET_REDIS_ADDRESSES="+server.Address(), "COMET_REDIS_PASSWORD_FILE="+file))
		if err != nil {
			t.Fatal(err)
		}
		id, err := core.ParseID("a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Publish(t.Context(), id); err != nil {
			t.Errorf("%q: %v", content, err)
		}
		if err := shut(); err != nil {
			t.Error(err)
		}
	}
	for _, content := range []string{"", "\n", strings.Repeat("x", 5000)} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := openStore(load(t, "COMET_STORE=redis", "COMET_REDIS_PASSWORD_FILE="+file)); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%d bytes: %v; want an error that names the file", len(content), err)
		}
	}
}
