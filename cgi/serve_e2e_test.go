//go:build e2e

package main

import (
	"testing"

	"novcomet/core/servertest"
	"novcomet/core/store/files/coarsetest"
)

// Otherwise a poll would miss the second publication of a second, because it gets the same stamp.
func TestServe_LetsNoPollWaitWhereOnlySecondsAreKept(t *testing.T) {
	directory := coarsetest.Mount(t)
	request(t, directory, "", get("publish=a")...).want(t, 200, "true")
	if a := request(t, directory, "", get("subscribed[b]=now&wait=0")...); a.status != 200 || a.stderr != "" {
		t.Errorf("without waiting: HTTP %d %s, %s", a.status, a.body, a.stderr)
	}
	for _, query := range []string{"subscribed[a]=now", "subscribed[a]=1763799999"} {
		a := request(t, directory, "", get(query)...)
		a.wantLogged(t, 500, `{"error":"polls cannot wait here…`, "file.directory", directory, "units of 1s", "/dev/shm")
	}
}

func memcachedRequest(t *testing.T, address, query string, more ...string) answer {
	t.Helper()
	store := get(query, "COMET_STORE=memcached", "COMET_MEMCACHED_SERVERS="+address, "COMET_STORE_TIMEOUT=30s")
	return request(t, "/nonexistent", "", append(store, more...)...)
}

func TestServe_ConnectsToMemcachedOnce(t *testing.T) {
	memcached := servertest.StartMemcached(t)
	before := memcached.Stat("total_connections")
	own := memcached.Stat("total_connections") - before // Each call of Stat connects, too.
	for query, body := range map[string]string{
		"publish=a":                     "true",
		"subscribed[b]=0.000000&wait=0": `{"s":0,"at":{"b":"0.000000"}}`,
	} {
		before := memcached.Stat("total_connections")
		memcachedRequest(t, memcached.Address(), query).want(t, 200, body)
		if n := memcached.Stat("total_connections") - before - own; n != 1 {
			t.Errorf("%s took %d connections; want 1", query, n)
		}
	}
}

func TestServe_AnswersAPollThroughMemcached(t *testing.T) {
	memcached := servertest.StartMemcached(t)
	polled := make(chan answer, 1)
	go func() {
		polled <- memcachedRequest(t, memcached.Address(), "subscribed[a]=0.000000", "COMET_TRIES=1000")
	}()
	memcachedRequest(t, memcached.Address(), "publish=a").want(t, 200, "true")
	wantText(t, (<-polled).body, `{"s":1,"k":{"a":`)
}

func TestServe_WithoutMemcachedPollsButDoesNotPublish(t *testing.T) {
	const closed = "127.0.0.1:1"
	memcachedRequest(t, closed, "publish=a").wantLogged(t, 503, "false", closed)
	memcachedRequest(t, closed, "subscribed[a]=0.000000").wantLogged(t, 200, `{"s":0,"at":{"a":"0.000000"}}`, closed)
}
