//go:build e2e

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"novcomet/conf"
	"novcomet/core"
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

func TestRedis_ReadsThePasswordFromAFile(t *testing.T) {
	const password = " s3cr3t pa55 "
	server := &redistest.Server{Password: password}
	server.Start(t)
	file := filepath.Join(t.TempDir(), "password")
	for _, way := range []struct{ content, variable string }{
		{password + "\n", "COMET_REDIS_PASSWORD_FILE=" + file},
		{password + "\r\n", "COMET_REDIS_PASSWORD_FILE=" + file},
		{password, "COMET_REDIS_PASSWORD_FILE=" + file},
		{"", "COMET_REDIS_PASSWORD=" + password},
	} {
		if err := os.WriteFile(file, []byte(way.content), 0o600); err != nil {
			t.Fatal(err)
		}
		store, shut, err := openRedis(load(t, "COMET_REDIS_ADDRESSES="+server.Address(), way.variable))
		if err != nil {
			t.Fatal(err)
		}
		id, err := core.ParseID("a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Publish(t.Context(), id); err != nil {
			t.Errorf("%q: %v", way.content, err)
		}
		if err := shut(); err != nil {
			t.Error(err)
		}
	}
	for _, content := range []string{"", "\n", strings.Repeat("x", 5000)} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := openRedis(load(t, "COMET_REDIS_PASSWORD_FILE="+file)); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%d bytes: %v; want an error that names the file", len(content), err)
		}
	}
}
