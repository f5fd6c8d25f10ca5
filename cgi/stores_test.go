//go:build e2e

package main

import (
	"net/http"
	"testing"

	"novcomet/core/memcached/memcachedtest"
)

// However often a poll looks, and however many steps a publication takes.
func TestAServerOfEventsIsConnectedToOnce(t *testing.T) {
	memcached := memcachedtest.Start(t)
	for name, store := range map[string]struct {
		env         []string
		connections func() int
	}{
		// Asking memcached for it takes a connection as well.
		"memcached": {[]string{"COMET_STORE=memcached", "COMET_MEMCACHED_SERVERS=" + memcached.Address},
			func() int { memcached.Stat("total_connections"); return memcached.Stat("total_connections") }},
	} {
		t.Run(name, func(t *testing.T) {
			own := store.connections()
			own = store.connections() - own // that asking takes
			for query, body := range map[string]string{
				"publish=a":                     "true",
				"subscribed[b]=0.000000&wait=0": `{"s":0,"at":{"b":"0.000000"}}`,
			} {
				before := store.connections()
				a := execute(t, executable(t), append(append(settings("/nonexistent"), store.env...), asked(query)...), nil, nil)
				a.want(t, http.StatusOK, body)
				if n := store.connections() - before - own; n != 1 {
					t.Errorf("%s took %d connections; want 1", query, n)
				}
			}
		})
	}
}

func TestAPollAndAPublicationMeetInTheServer(t *testing.T) {
	memcached := memcachedtest.Start(t)
	for name, env := range map[string][]string{
		"memcached": {"COMET_STORE=memcached", "COMET_MEMCACHED_SERVERS=" + memcached.Address, "COMET_TRIES=1000"},
	} {
		t.Run(name, func(t *testing.T) {
			environ := append(settings("/nonexistent"), env...)
			polled := make(chan answer, 1)
			go func() {
				polled <- execute(t, executable(t), append(environ[:len(environ):len(environ)], asked("subscribed[a]=0.000000")...), nil, nil)
			}()
			execute(t, executable(t), append(environ[:len(environ):len(environ)], asked("publish=a")...), nil, nil).want(t, http.StatusOK, "true")
			wantText(t, (<-polled).body, `{"s":1,"k":{"a":`)
		})
	}
}

func TestAStoreThatIsGoneIsSaidToBe(t *testing.T) {
	for _, env := range [][]string{
		{"COMET_STORE=memcached", "COMET_MEMCACHED_SERVERS=127.0.0.1:1"},
	} {
		environ := append(settings("/nonexistent"), env...)
		a := execute(t, executable(t), append(environ[:len(environ):len(environ)], asked("publish=a")...), nil, nil)
		if a.status != http.StatusServiceUnavailable || a.body != "false" {
			t.Errorf("HTTP %d %s; want 503 false", a.status, a.body)
		}
		wantLine(t, a.stderr, "127.0.0.1:1")
		a = execute(t, executable(t), append(environ[:len(environ):len(environ)], asked("subscribed[a]=0.000000")...), nil, nil)
		if a.status != http.StatusOK || a.body != `{"s":0,"at":{"a":"0.000000"}}` {
			t.Errorf("HTTP %d %s; want that nothing changed", a.status, a.body)
		}
		wantLine(t, a.stderr, "127.0.0.1:1")
	}
}
