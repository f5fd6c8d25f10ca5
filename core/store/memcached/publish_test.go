//go:build e2e

package memcached_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"novcomet/core/internal/coretest"
	"novcomet/core/servertest"
	"novcomet/core/store"
)

// small makes a server small, so that a test can fill it.
var small = []string{"-m", "1", "-I", "64k", "-o", "slab_chunk_max=32768"}

func TestPublish_FollowsOtherProgramsThatSetTheKey(t *testing.T) {
	server, s := start(t)
	const key, data = "novcomet:a%20b", "\n{\"build\":\"green\"}"
	for name, test := range map[string]struct{ data, value string }{
		"a stamp":          {"", "VALUE " + key + " 0 16"},
		"a stamp and data": {data, "VALUE " + key + " 0 34"}, // 16 digits, a newline and 17 bytes of data
	} {
		server.Set(key, "1763800000123456"+test.data)
		if got := stampOf(t, s, "a b"); got != 1763800000_123456 {
			t.Errorf("%s: the stamp is %v; want what the other program set", name, got)
		}
		published := publish(t, s, "a b")
		if got := server.Do("get " + key); got != test.value || published != stampOf(t, s, "a b") {
			t.Errorf("%s: after Publish at %v the value is %s; want %s", name, published, got, test.value)
		}
		server.Set(key, published.Add(time.Second).String()[:10]+"999999"+test.data)
		if got := stampOf(t, s, "a b"); got <= published {
			t.Errorf("%s: the stamp is %v; want the later one that the other program set after %v", name, got, published)
		}
	}
}

func TestPublish_LeavesValueWithoutStampAlone(t *testing.T) {
	server, s := start(t)
	server.Set("novcomet:a", "another program's")
	if got := stampOf(t, s, "a"); got != 0 {
		t.Errorf("the stamp is %v; want 0", got)
	}
	_, err := s.Publish(t.Context(), coretest.MustID("a"), nil)
	if err == nil || errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("Publish: %v; want an error about that event", err)
	}
	if got := server.Do("get novcomet:a"); got != "VALUE novcomet:a 0 17" {
		t.Errorf("the value is now %s", got)
	}
	if publish(t, s, "b") != stampOf(t, s, "b") {
		t.Error("another event cannot be published")
	}
}

func TestPublish_EvictedEventStartsAgain(t *testing.T) {
	server, s := start(t, small...)
	last := publish(t, s, "a")
	for range 3 {
		servertest.WaitFor(t, "memcached evicts the event", func() bool {
			server.Fill(100, 50_000)
			server.Fill(50_000, 16) // memcached evicts the oldest among values of about the same size.
			return stampOf(t, s, "a") == 0
		})
		next := publish(t, s, "a")
		if got := stampOf(t, s, "a"); next <= last || got != next {
			t.Errorf("published at %v after %v and an eviction, the stamp is %v", next, last, got)
		}
		last = next
	}
	if server.Stat("evictions") == 0 {
		t.Error("nothing was evicted")
	}
}

func TestPublish_FullServerIsErrorOfThatEvent(t *testing.T) {
	server, s := start(t, append(small, "-M")...) // -M: do not evict
	last := publish(t, s, "a")
	var err error
	servertest.WaitFor(t, "memcached is full", func() bool {
		server.Fill(100, 50_000)
		server.Fill(5000, 16)
		_, err = s.Publish(t.Context(), coretest.MustID("b"), nil)
		return err != nil
	})
	if errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "out of memory") {
		t.Errorf("%v; want the server's reason, about that event", err)
	}
	if got := stampOf(t, s, "a"); got != last {
		t.Errorf("the stamp of the event that is stored is %v; want %v", got, last)
	}
}
