package gateway_test

import (
	"reflect"
	"strings"
	"testing"

	"novcomet/conf"
	"novcomet/core"
	"novcomet/core/gateway"
	"novcomet/core/memcached"
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
		store, shut, err := gateway.Store(load(t, append(wrong, "COMET_STORE="+name)...), nil)
		if err != nil || reflect.TypeOf(store) != reflect.TypeOf(want) {
			t.Errorf("%s: %T, %v", name, store, err)
			continue
		}
		if err := shut(); err != nil {
			t.Error(err)
		}
	}
}

func TestFilesAreAsConfigured(t *testing.T) {
	store, _, err := gateway.Store(load(t, "COMET_FILE_DIRECTORY=/a", "COMET_FILE_MODE=0600", "COMET_FILE_NOTIFY=false", "COMET_FILE_CREATE=false"), nil)
	if want := (&core.Files{Directory: "/a", Mode: 0o600, OnlyExisting: true, Unwatched: true}); err != nil || !reflect.DeepEqual(store, want) {
		t.Errorf("%+v, %v; want %+v", store, err, want)
	}
}

func TestStore_OpensAnotherStoreOnlyInAProgramThatHasItsClient(t *testing.T) {
	config := load(t, "COMET_STORE=redis")
	if _, _, err := gateway.Store(config, nil); err == nil || !strings.Contains(err.Error(), "store: redis: ") || !strings.Contains(err.Error(), "run comet-fcgi") {
		t.Errorf("without a client: %v; want an error with the remedy", err)
	}
	want := &core.Files{Directory: "/a"}
	open := func(conf.Config) (core.Store, func() error, error) { return want, nil, nil }
	if store, _, err := gateway.Store(config, map[string]gateway.Opener{"redis": open}); store != core.Store(want) || err != nil {
		t.Errorf("with a client: %v, %v", store, err)
	}
}
