package access_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core/access"
	"novcomet/core/internal/coretest"
)

func TestParseRate_Rejects(t *testing.T) {
	for _, text := range []string{
		"", "10", "10/", "/s", "0/s", "-1/s", "+1/s", "1.5/s", "10001/s", "1/d", "1/min", "1 /s", "1/s ", "010/s",
		"99999999999999999999/s",
	} {
		if _, err := access.ParseRate(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func TestLimiter_HoldsAnAddressToItsRate(t *testing.T) {
	for _, test := range []struct {
		rate  string
		times int
		pause time.Duration // after which one more request is allowed
	}{
		{"1/s", 1, time.Second},
		{"10/s", 10, 100 * time.Millisecond},
		{"6/m", 6, 10 * time.Second},
		{"100/h", 100, 36 * time.Second},
		{"10000/s", 10_000, 100 * time.Microsecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			rate, limiter := coretest.Must(access.ParseRate(test.rate)), access.Limiter{}
			take := func(want time.Duration) {
				t.Helper()
				if wait := limiter.Take(rate, "192.0.2.1:1").Round(time.Microsecond); wait != want {
					t.Errorf("%s: the wait is %v; want %v", test.rate, wait, want)
				}
			}
			for range test.times {
				take(0)
			}
			for range 3 { // A refused request does not count.
				take(test.pause)
			}
			time.Sleep(test.pause)
			take(0)
			take(test.pause)
			time.Sleep(10 * time.Duration(test.times) * test.pause) // An idle address saves up no more than its rate.
			for range test.times {
				take(0)
			}
			take(test.pause)
		})
	}
	var limiter access.Limiter
	for range 100 {
		if wait := limiter.Take(access.Rate{}, "192.0.2.1:1"); wait != 0 {
			t.Errorf("without a limit, the wait is %v", wait)
		}
	}
}

func TestLimiter_CountsNoRefusedRequestsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rate, limiter := coretest.Must(access.ParseRate("1/h")), new(access.Limiter)
		limiter.Take(rate, "192.0.2.1")
		var refused sync.WaitGroup
		for range 8 {
			refused.Go(func() {
				for range 1000 {
					limiter.Take(rate, "192.0.2.1")
				}
			})
		}
		refused.Wait()
		if wait := limiter.Take(rate, "192.0.2.1"); wait != time.Hour {
			t.Errorf("the wait is %v; want an hour", wait)
		}
	})
}

func TestLimiter_CountsWhatOneClientControlsTogether(t *testing.T) {
	for _, test := range []struct {
		first, second string
		together      bool
	}{
		{"192.0.2.1:1", "192.0.2.1:2", true},
		{"192.0.2.1:1", "192.0.2.2:1", false},
		{"192.0.2.1:1", "[::ffff:192.0.2.1]:1", true},
		{"[2001:db8::1]:1", "[2001:db8::ffff:1]:1", true}, // A client can choose the last 64 bits.
		{"[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false},
		{"[fe80::1%eth0]:1", "[fe80::1%eth1]:1", true},
		{"192.0.2.1", "192.0.2.1:1", true},
		{"", "@", true}, // Behind a socket file, there is no address.
		{"unix:", "192.0.2.1:1", false},
	} {
		rate, limiter := coretest.Must(access.ParseRate("1/h")), access.Limiter{}
		if wait := limiter.Take(rate, test.first); wait != 0 {
			t.Errorf("%q has to wait %v", test.first, wait)
		}
		if wait := limiter.Take(rate, test.second); (wait > 0) != test.together {
			t.Errorf("%q after %q has to wait %v", test.second, test.first, wait)
		}
	}
}

// A client with many addresses cannot use up the memory, nor make the limiter forget an address too early.
func TestLimiter_RemembersManyAddressesInBoundedMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rate, limiter := coretest.Must(access.ParseRate("1/h")), new(access.Limiter)
		used := func() int64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		flood := func(from int) (allowed int) {
			for i := range 12_000 {
				if limiter.Take(rate, fmt.Sprintf("10.%d.%d.%d:1", from, i>>8, i&255)) == 0 {
					allowed++
				}
			}
			return allowed
		}
		before := used()
		if n := flood(0); n != 10_001 { // The last one stands for all others.
			t.Errorf("%d were allowed; want 10,001", n)
		}
		if limiter.Take(rate, "10.0.0.0:1") == 0 {
			t.Error("the first address was forgotten")
		}
		time.Sleep(59 * time.Minute)
		if n := flood(0); n != 0 {
			t.Errorf("%d were allowed again within the hour", n)
		}
		for round := range 12 {
			time.Sleep(time.Hour)
			for from := range round + 1 {
				flood(round - from) // new addresses first, then all that are older
			}
		}
		const most = 16 << 20
		if grown := used() - before; grown > most {
			t.Errorf("the limiter uses %d bytes; want %d at most", grown, most)
		}
		runtime.KeepAlive(limiter)
	})
}
