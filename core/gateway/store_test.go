package gateway_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"novcomet/conf"
	"novcomet/core"
	"novcomet/core/gateway"
	"novcomet/core/memcached"
	"novcomet/core/redis"
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

// No server is asked for: of what is configured, only what is chosen is opened, and nothing is connected to.
func TestTheStoreIsTheOneThatIsChosen(t *testing.T) {
	wrong := []string{"COMET_REDIS_PASSWORD_FILE=/nonexistent", "COMET_MEMCACHED_SERVERS=no-such-host.invalid:1", "COMET_FILE_DIRECTORY=/nonexistent"}
	for name, want := range map[string]core.Store{"files": &core.Files{}, "memcached": &memcached.Store{}} {
		store, shut, err := gateway.Store(load(t, append(wrong, "COMET_STORE="+name)...))
		if err != nil || reflect.TypeOf(store) != reflect.TypeOf(want) {
			t.Errorf("%s: %T, %v", name, store, err)
			continue
		}
		if err := shut(); err != nil {
			t.Error(err)
		}
	}
	store, shut, err := gateway.Store(load(t, "COMET_STORE=redis", "COMET_REDIS_ADDRESSES=no-such-host.invalid:1"))
	if _, ok := store.(*redis.Store); !ok || err != nil {
		t.Fatalf("redis: %T, %v", store, err)
	}
	if err := shut(); err != nil {
		t.Error(err)
	}
}

func TestFilesAreAsConfigured(t *testing.T) {
	store, _, err := gateway.Store(load(t, "COMET_FILE_DIRECTORY=/a", "COMET_FILE_MODE=0600", "COMET_FILE_NOTIFY=false", "COMET_FILE_CREATE=false"))
	if want := (&core.Files{Directory: "/a", Mode: 0o600, OnlyExisting: true, Unwatched: true}); err != nil || !reflect.DeepEqual(store, want) {
		t.Errorf("%+v, %v; want %+v", store, err, want)
	}
}

func TestThePasswordMayStandInAFile(t *testing.T) {
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
		store, shut, err := gateway.Store(load(t, "COMET_STORE=redis", "COMET_REDIS_ADDRESSES="+server.Address(), way.variable))
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
		if _, _, err := gateway.Store(load(t, "COMET_STORE=redis", "COMET_REDIS_PASSWORD_FILE="+file)); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%d bytes: %v; want an error that names the file", len(content), err)
		}
	}
}
