//go:build e2e

package main

import (
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"novcomet/core/event"
	"novcomet/core/servertest"
	"novcomet/core/store"
)

// store_prefix and store_timeout apply to both stores.
func TestOpenStore_AppliesPrefixAndTimeout(t *testing.T) {
	id, err := event.ParseID("a")
	if err != nil {
		t.Fatal(err)
	}
	cached, redis := servertest.StartMemcached(t), servertest.StartRedis(t, servertest.RedisOptions{})
	silent, err := net.Listen("tcp", "127.0.0.1:0") // It accepts connections and answers nothing.
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, server := range map[string]struct {
		key, address string
		has          func() bool
	}{
		"memcached": {"COMET_MEMCACHED_SERVERS=", cached.Address(),
			func() bool { return cached.Do("get site-2:a") != "END" }},
		"redis": {"COMET_REDIS_ADDRESSES=", redis.Address(),
			func() bool { return redis.Do("EXISTS", "site-2:a") == int64(1) }},
	} {
		publish := func(settings ...string) error {
			s, err := openStore(readSettings(t, append(settings, "COMET_STORE="+name)...).Config)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			_, err = s.Publish(t.Context(), id, nil)
			return err
		}
		err := publish(server.key+server.address, "COMET_STORE_PREFIX=site-2:", patientStore)
		if err != nil || !server.has() {
			t.Errorf("%s: %v; has the key: %v", name, err, server.has())
		}
		const timeout = 2 * time.Second // The default is a shorter one.
		begin := time.Now()
		err = publish(server.key+silent.Addr().String(), "COMET_STORE_TIMEOUT="+timeout.String())
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v; want ErrUnavailable", name, err)
		}
		if took := time.Since(begin); took < timeout {
			t.Errorf("%s: took %v with a silent server, want %v", name, took, timeout)
		}
	}
}

func TestOpenRedis_ReadsThePasswordFromAFile(t *testing.T) {
	const password = " s3cr3t pa55 "
	server := servertest.StartRedis(t, servertest.RedisOptions{Password: password})
	file := writeFile(t, filepath.Join(t.TempDir(), "password"), password+"\n")
	s, err := openStore(readSettings(t, "COMET_STORE=redis", "COMET_REDIS_ADDRESSES="+server.Address(),
		"COMET_REDIS_PASSWORD_FILE="+file, patientStore).Config)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	id, err := event.ParseID("a")
	if err == nil {
		_, err = s.Publish(t.Context(), id, nil)
	}
	if err != nil {
		t.Error(err)
	}
}
