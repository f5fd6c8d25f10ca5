//go:build e2e

package memcached_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/memcached"
	"novcomet/core/memcached/memcachedtest"
)

func TestNothingIsConnectedToBeforeTheStoreIsUsed(t *testing.T) {
	for _, o := range []memcached.Options{
		{Servers: []string{"127.0.0.1:1"}},
		{Servers: []string{"no-such-host.invalid:11211", "unix:/no/such/socket"}, Prefix: strings.Repeat("x", memcached.MaxPrefix)},
	} {
		store := openWith(t, o)
		if _, err := store.Stamps(t.Context(), []core.ID{mustID(t, "a")}); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("%q: %v; want ErrUnavailable, when it is used", o.Servers, err)
		}
	}
	for _, o := range []memcached.Options{
		{},
		{Servers: []string{"127.0.0.1:1"}, Prefix: strings.Repeat("x", memcached.MaxPrefix+1)},
		{Servers: []string{"127.0.0.1:1"}, Prefix: "a b"},
		{Servers: []string{"127.0.0.1:1"}, Prefix: "a\x7f"},
	} {
		if _, err := memcached.Open(o); err == nil {
			t.Errorf("%+v was opened", o)
		}
	}
}

func TestAServerThatIsGoneIsNamed(t *testing.T) {
	store := open(t, "127.0.0.1:1")
	_, look := store.Stamps(t.Context(), []core.ID{mustID(t, "a")})
	_, publish := store.Publish(t.Context(), mustID(t, "a"))
	for what, err := range map[string]error{"look": look, "publish": publish} {
		if !errors.Is(err, core.ErrUnavailable) || !strings.Contains(err.Error(), "127.0.0.1:1") {
			t.Errorf("%s: %v; want ErrUnavailable with the server's address", what, err)
		}
	}
}

func TestOtherProgramsPublishByTheKey(t *testing.T) {
	server := memcachedtest.Start(t)
	store := open(t, server.Address)
	server.Set("novcomet:a%20b", "1763800000123456")
	if got := stamp(t, store, "a b"); got != 1763800000_123456 {
		t.Errorf("seen at %v", got)
	}
	published := publish(t, store, "a b")
	if got := server.Do("get novcomet:a%20b"); got != "VALUE novcomet:a%20b 0 16" {
		t.Errorf("published, the key is %s", got)
	}
	server.Set("novcomet:a%20b", published.Add(time.Second).String()[:10]+"999999")
	if got := stamp(t, store, "a b"); got <= published {
		t.Errorf("published by another program, seen at %v; before it was %v", got, published)
	}
}

func TestDataBehindTheStampStays(t *testing.T) {
	server := memcachedtest.Start(t)
	store := open(t, server.Address)
	server.Set("novcomet:ci", "1763800000123456\n{\"build\":\"green\"}")
	if got := stamp(t, store, "ci"); got != 1763800000_123456 {
		t.Errorf("seen at %v", got)
	}
	if got := publish(t, store, "ci"); got != stamp(t, store, "ci") {
		t.Errorf("published at %v, seen at %v", got, stamp(t, store, "ci"))
	}
	if got := server.Do("get novcomet:ci"); got != "VALUE novcomet:ci 0 34" { // 16 digits, the newline, 17 bytes of data
		t.Errorf("published, the value is %s", got)
	}
}

// Somebody else's data is not an event, and stays what it is.
func TestAValueThatIsNoStampIsLeftAlone(t *testing.T) {
	server := memcachedtest.Start(t)
	store := open(t, server.Address)
	server.Set("novcomet:a", "somebody's session")
	if got := stamp(t, store, "a"); got != 0 {
		t.Errorf("its stamp is %v; want none", got)
	}
	_, err := store.Publish(t.Context(), mustID(t, "a"))
	if err == nil || errors.Is(err, core.ErrUnavailable) || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("publishing it: %v; want an error about that event", err)
	}
	if got := server.Do("get novcomet:a"); got != "VALUE novcomet:a 0 18" {
		t.Errorf("it became %s", got)
	}
	if publish(t, store, "b") != stamp(t, store, "b") {
		t.Error("the event beside it can't be published")
	}
}

// Small memory, filled by values of others: events are evicted, and each publication counts all the same.
func TestAnEventThatWasEvictedCountsWhenItIsPublishedAgain(t *testing.T) {
	server := memcachedtest.Start(t, "-m", "1", "-I", "64k", "-o", "slab_chunk_max=32768")
	store := open(t, server.Address)
	last := publish(t, store, "a")
	for range 3 {
		waitFor(t, "memcached evicts the event", func() bool {
			server.Fill(100, 50_000)
			server.Fill(50_000, 16) // It evicts among values of about the same size, what was not looked at for long.
			return stamp(t, store, "a") == 0
		})
		next := publish(t, store, "a")
		if next <= last || stamp(t, store, "a") != next {
			t.Errorf("published at %v after it was evicted, seen at %v, and it was %v before", next, stamp(t, store, "a"), last)
		}
		last = next
	}
	if server.Stat("evictions") == 0 {
		t.Error("nothing was evicted")
	}
}

// A server that has no room and may not evict says so, and so does the publication.
func TestAServerThatIsFullSaysSo(t *testing.T) {
	server := memcachedtest.Start(t, "-m", "1", "-I", "64k", "-o", "slab_chunk_max=32768", "-M")
	store := open(t, server.Address)
	last := publish(t, store, "a")
	var err error
	waitFor(t, "memcached is full", func() bool {
		server.Fill(100, 50_000)
		server.Fill(5000, 16)
		_, err = store.Publish(t.Context(), mustID(t, "b"))
		return err != nil
	})
	if errors.Is(err, core.ErrUnavailable) || !strings.Contains(err.Error(), "out of memory") {
		t.Errorf("%v; want the server's reason, about that event", err)
	}
	if got := stamp(t, store, "a"); got != last {
		t.Errorf("the event that is there is seen at %v; it was published at %v", got, last)
	}
}

func TestAServerThatNeverAnswersIsGivenUpInTime(t *testing.T) {
	for name, accepts := range map[string]bool{"after it has accepted": true, "without accepting": false} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			if accepts {
				go keepSilent(listener)
			}
			const timeout = 200 * time.Millisecond
			store := openWith(t, memcached.Options{Servers: []string{listener.Addr().String()}, Timeout: timeout})
			for range 2 { // The second time it is known to be gone.
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				if _, err := store.Stamps(ctx, []core.ID{mustID(t, "a")}); !errors.Is(err, core.ErrUnavailable) {
					t.Errorf("look: %v; want ErrUnavailable", err)
				}
				if _, err := store.Publish(ctx, mustID(t, "a")); !errors.Is(err, core.ErrUnavailable) || ctx.Err() != nil {
					t.Errorf("publish: %v; want ErrUnavailable", err)
				}
				cancel()
			}
		})
	}
}

func keepSilent(listener net.Listener) {
	var all []net.Conn
	for {
		c, err := listener.Accept()
		if err != nil {
			break
		}
		all = append(all, c)
	}
	for _, c := range all {
		c.Close()
	}
}

// After a restart every connection that was kept is broken; nobody is to notice.
func TestAServerThatWasStartedAgainIsThereAtOnce(t *testing.T) {
	server := memcachedtest.Start(t)
	store := open(t, server.Address)
	ids := []core.ID{mustID(t, "a")}
	for range 3 {
		done := make(chan error)
		for range 20 { // so that several connections are kept
			go func() {
				_, err := store.Publish(t.Context(), ids[0])
				done <- err
			}()
		}
		for range 20 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		server.Kill()
		server.Start()
		if seen, err := store.Stamps(t.Context(), ids); err != nil || seen.Stamps[0] != 0 {
			t.Errorf("%v, %v; want that it is empty", seen, err)
		}
	}
}
