//go:build e2e

package memcached_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/internal/polltest"
	"novcomet/core/servertest"
	"novcomet/core/store"
	"novcomet/core/store/memcached"
)

var settings = core.Location{Tries: 20, Sleep: 50 * time.Millisecond}

func TestPolls_MissNothingAfterRestart(t *testing.T) {
	server, s := start(t)
	names := []string{"a", "b", "c", "d", "e", "f"}
	a := polltest.Start(t, s, s, settings, polltest.Both(names...))
	a.PublishAll()
	for range 3 {
		server.Kill()
		for _, name := range names {
			if _, err := s.Publish(t.Context(), coretest.MustID(name), nil); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("publish %s without a server: %v; want ErrUnavailable", name, err)
			}
		}
		server.Restart()
		a.PublishAll()
	}
}

// A machine whose clock is behind by the skew may have published the event just now.
func TestPolls_NowCountsAsNewWithinSkewAnd200ms(t *testing.T) {
	const skew, slow = 20 * time.Second, 10 * time.Second // slow: how long a poll may take on a busy machine
	server := servertest.StartMemcached(t)
	s := openWith(t, memcached.Options{
		Servers: []string{server.Address()}, Prefix: "novcomet:", Timeout: slow, Skew: skew,
	})
	endpoint := core.NewEndpoint(s, core.Options{Location: settings})
	t.Cleanup(endpoint.Close)
	for ago, want := range map[time.Duration]string{
		skew - slow: `{"s":1,`,
		skew + slow: `{"s":0,`,
	} {
		server.Set("novcomet:a", fmt.Sprint(time.Now().Add(-ago).UnixMicro()))
		if _, body := coretest.Ask(t, endpoint, "subscribed[a]=now&wait=0"); !strings.HasPrefix(body, want) {
			t.Errorf("published %v ago: %s; want %s…", ago, body, want)
		}
	}
}

// Two machines publish the same event and serve clients.
func TestPolls_PreciseOnesMissNothingIfClocksDifferByTenSeconds(t *testing.T) {
	server, slow := start(t)
	fast := open(t, server.Address())
	fast.SetClock(10 * time.Second)
	// Each audience publishes with the other machine's store.
	audiences := []*polltest.Audience{
		polltest.Start(t, slow, fast, settings, []polltest.Client{{Event: "a", Precise: true}}),
		polltest.Start(t, fast, slow, settings, []polltest.Client{{Event: "a", Precise: true}}),
	}
	var last event.Stamp
	for i := range 40 {
		stamp := audiences[i%2].Publish("a")
		if stamp == last { // The slow machine's may be earlier: it ignores one that is more than 2 s ahead.
			t.Errorf("publication %d: the stamp is again %v", i, stamp)
		}
		last = stamp
		for _, a := range audiences {
			a.WaitUntilLast("a", stamp)
		}
	}
}
