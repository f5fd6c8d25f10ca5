package build_test

import (
	"reflect"
	"strings"
	"testing"

	"novcomet/conf"
	"novcomet/conf/build"
	"novcomet/core/store"
	"novcomet/core/store/files"
	"novcomet/core/store/memcached"
)

func load(t *testing.T, environ ...string) conf.Config {
	t.Helper()
	config, err := conf.Load(conf.Source{Environ: append(environ, "COMET_CONFIG=/dev/null")})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// The servers and directories of these settings do not exist.
func TestStore_OpensOnlyTheChosenStoreAndConnectsToNothing(t *testing.T) {
	missing := []string{
		"COMET_REDIS_PASSWORD_FILE=/nonexistent", "COMET_MEMCACHED_SERVERS=no-such-host.invalid:1",
		"COMET_FILE_DIRECTORY=/nonexistent",
	}
	for name, want := range map[string]store.Store{"files": &files.Store{}, "memcached": &memcached.Store{}} {
		s, err := build.Store(load(t, append(missing, "COMET_STORE="+name)...), nil)
		if err != nil || reflect.TypeOf(s.Store) != reflect.TypeOf(want) {
			t.Errorf("%s: %T, %v", name, s.Store, err)
			continue
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestStore_PassesTheSettingsOfFiles(t *testing.T) {
	s, err := build.Store(load(t, "COMET_FILE_DIRECTORY=/a", "COMET_FILE_MODE=0600", "COMET_FILE_NOTIFY=false",
		"COMET_FILE_CREATE=false"), nil)
	want := &files.Store{Directory: "/a", Mode: 0o600, NoCreate: true, NoWatch: true}
	if err != nil || !reflect.DeepEqual(s.Store, want) {
		t.Errorf("%+v, %v; want %+v", s.Store, err, want)
	}
}

func TestOpened_ProbesOnlyFiles(t *testing.T) {
	for name, wantsError := range map[string]bool{"files": true, "memcached": false} {
		s, err := build.Store(load(t, "COMET_STORE="+name, "COMET_FILE_DIRECTORY=/nonexistent",
			"COMET_MEMCACHED_SERVERS=no-such-host.invalid:1"), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		err = s.Probe()
		if (err != nil) != wantsError || err != nil && !strings.HasPrefix(err.Error(), "file.directory: ") {
			t.Errorf("%s: %v; want an error with the key: %v", name, err, wantsError)
		}
	}
}

func TestStore_OpensAnotherStoreOnlyInAProgramThatHasItsClient(t *testing.T) {
	config := load(t, "COMET_STORE=redis")
	_, err := build.Store(config, nil)
	if err == nil || !strings.Contains(err.Error(), "store: redis: ") || !strings.Contains(err.Error(), "run comet-fcgi") {
		t.Errorf("without a client: %v; want an error with the remedy", err)
	}
	want := &files.Store{Directory: "/a"}
	open := func(conf.Config) (store.Store, error) { return want, nil }
	if s, err := build.Store(config, map[string]build.Opener{"redis": open}); s.Store != want || err != nil {
		t.Errorf("with a client: %v, %v", s, err)
	}
}
