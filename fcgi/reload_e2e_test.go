//go:build e2e

package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"novcomet/core/servertest"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// Another store needs a restart. At the end, the store's connections are closed.
func TestReload_KeepsTheStore(t *testing.T) {
	t.Parallel()
	redis := servertest.StartRedis(t, servertest.RedisOptions{})
	connections := func() int {
		return len(strings.Split(strings.TrimSpace(fmt.Sprint(redis.Do("CLIENT", "LIST"))), "\n"))
	}
	unused := connections()
	common := "tries: 2000\nsleep: 20ms\nstore_timeout: 30\n"
	r := startReloading(t, common+"store: redis\nredis.addresses: "+redis.Address()+"\n")
	wantText(t, r.reload(common+"file.directory: "+t.TempDir()+"\n"),
		"the old settings stay in force", "file.directory, store, redis.addresses need a restart")
	w := connect(t, r.path)
	w.Send(t, Request(1, 0, Get("subscribed[a]=0.000000"), ""))
	wantWaiting(t, r.path, 1)
	redis.Do("HSET", "novcomet:a", "s", "1763800000123456")
	w.WantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":1763800000.123456}`)
	r.terminate()
	servertest.WaitFor(t, "the connections are closed", func() bool { return connections() == unused })
}
