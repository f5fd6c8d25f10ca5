//go:build e2e

package memcached_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/servertest"
	"novcomet/core/store"
	"novcomet/core/store/memcached"
)

func TestCheck_SendsOneCommandToEachServer(t *testing.T) {
	const events = 5000
	proxies := []*servertest.Proxy{
		servertest.StartProxy(t, servertest.StartMemcached(t).Address()),
		servertest.StartProxy(t, servertest.StartMemcached(t).Address()),
	}
	s := open(t, proxies[0].Address+","+proxies[1].Address)
	ids := make([]event.ID, events)
	for i := range ids {
		ids[i] = coretest.MustID(fmt.Sprint("event ", i))
	}
	if _, err := s.Check(t.Context(), ids); err != nil {
		t.Fatal(err)
	}
	keys := 0
	for i, proxy := range proxies {
		sent := proxy.Sent()
		if n := strings.Count(sent, "\n"); n != 1 || !strings.HasPrefix(sent, "gets ") {
			t.Errorf("server %d was sent %d commands, %.50q…; want one gets", i, n, sent)
		}
		keys += strings.Count(sent, " ")
	}
	if keys != events {
		t.Errorf("the servers were asked for %d keys; want %d", keys, events)
	}
}

func TestCheck_OneServerDownLeavesEventsOfOthers(t *testing.T) {
	for name, interrupt := range map[string]func(*servertest.Memcached) (resume func()){
		"killed": func(m *servertest.Memcached) func() { m.Kill(); return m.Restart },
		"frozen": func(m *servertest.Memcached) func() { return m.Freeze() },
	} {
		t.Run(name, func(t *testing.T) {
			down, up := servertest.StartMemcached(t), servertest.StartMemcached(t)
			s := open(t, down.Address()+","+up.Address())
			onDown, onUp := eventOn(t, s, down), eventOn(t, s, up)
			resume := interrupt(down)
			for range 2 { // The second time, the server is known to be down.
				published := publish(t, s, onUp)
				snapshot, err := s.Check(t.Context(), []event.ID{coretest.MustID(onDown), coretest.MustID(onUp)})
				if err != nil {
					t.Fatal(err)
				}
				want := []event.Stamp{store.Unknown, published}
				if !slices.Equal(snapshot.Stamps, want) || !errors.Is(snapshot.Partial, store.ErrUnavailable) {
					t.Errorf("stamps %d, %v; want %d and ErrUnavailable", snapshot.Stamps, snapshot.Partial, want)
				}
			}
			resume()
			var published event.Stamp
			servertest.WaitFor(t, "events on the server can be published", func() bool {
				var err error
				published, err = s.Publish(t.Context(), coretest.MustID(onDown), nil)
				return err == nil
			})
			if got := stampOf(t, s, onDown); got != published {
				t.Errorf("the server is back, and the stamp is %v; want %v", got, published)
			}
		})
	}
}

// eventOn returns the name of an event that this server has.
func eventOn(t testing.TB, s *memcached.Store, server *servertest.Memcached) string {
	t.Helper()
	for i := range 100 {
		name := fmt.Sprint("event", i)
		publish(t, s, name)
		if server.Do("get novcomet:"+name) != "END" {
			return name
		}
	}
	t.Fatal("no event is on that server")
	return ""
}
