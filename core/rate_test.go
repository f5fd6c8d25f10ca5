package core_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

func limited(t testing.TB, rate string) *core.Endpoint {
	t.Helper()
	r, err := core.ParseRate(rate)
	if err != nil {
		t.Fatal(err)
	}
	return core.NewEndpoint(newMemory(), core.Settings{Access: &core.Access{Rate: r}})
}

// publishFrom publishes from an address and returns the status and after how many seconds to come again.
func publishFrom(t testing.TB, e *core.Endpoint, address string) (status int, retryAfter string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?publish=a", nil)
	r.RemoteAddr = address
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w.Code, w.Header().Get("Retry-After")
}

func TestAnAddressPublishesAsOftenAsItsRateAllows(t *testing.T) {
	for _, test := range []struct {
		rate  string
		times int
		pause time.Duration // after which one more can come
		retry string
	}{
		{"1/s", 1, time.Second, "1"},
		{"10/s", 10, 100 * time.Millisecond, "1"},
		{"6/m", 6, 10 * time.Second, "10"},
		{"100/h", 100, 36 * time.Second, "36"},
	} {
		synctest.Test(t, func(t *testing.T) {
			e := limited(t, test.rate)
			publish := func(want int) {
				t.Helper()
				if status, retry := publishFrom(t, e, "192.0.2.1:1"); status != want || (retry == test.retry) != (want == 429) {
					t.Errorf("%s: HTTP %d, Retry-After: %q; want %d, %s", test.rate, status, retry, want, test.retry)
				}
			}
			for range test.times {
				publish(200)
			}
			for range 3 { // What is refused does not count.
				publish(429)
			}
			time.Sleep(test.pause)
			publish(200)
			publish(429)
			time.Sleep(10 * time.Duration(test.times) * test.pause) // It does not save up more.
			for range test.times {
				publish(200)
			}
			publish(429)
		})
	}
}

func TestEachAddressHasARateOfItsOwn(t *testing.T) {
	for _, test := range []struct {
		first, second string
		same          bool
	}{
		{"192.0.2.1:1", "192.0.2.1:2", true},
		{"192.0.2.1:1", "192.0.2.2:1", false},
		{"192.0.2.1:1", "[::ffff:192.0.2.1]:1", true},
		{"[2001:db8::1]:1", "[2001:db8::ffff:1]:1", true}, // Everybody has 64 bits to choose from.
		{"[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false},
		{"[fe80::1%eth0]:1", "[fe80::1%eth1]:1", true},
		{"192.0.2.1", "192.0.2.1:1", true},
		{"", "@", true}, // Who has none, as behind a socket file, shares one.
		{"unix:", "192.0.2.1:1", false},
	} {
		e := limited(t, "1/h")
		if status, _ := publishFrom(t, e, test.first); status != 200 {
			t.Errorf("%q: HTTP %d", test.first, status)
		}
		if status, _ := publishFrom(t, e, test.second); (status == 429) != test.same {
			t.Errorf("%q after %q: HTTP %d", test.second, test.first, status)
		}
	}
}

func TestPollsAndHEADDoNotCountAsPublications(t *testing.T) {
	e := limited(t, "1/h")
	for range 3 {
		if status, _ := ask(t, e, "subscribed[a]=1.0&wait=0"); status != 200 {
			t.Errorf("a poll: HTTP %d", status)
		}
		if status, _ := send(t, e, httptest.NewRequest(http.MethodHead, "/?publish=a", nil)); status != 200 {
			t.Errorf("HEAD: HTTP %d", status)
		}
	}
	if status, _ := ask(t, e, "publish=a"); status != 200 {
		t.Errorf("the first publication: HTTP %d", status)
	}
}

// Whoever has a whole country's addresses may not take the memory, nor get past the limit by being forgotten.
func TestManyAddressesTakeBoundedMemoryAndNoneIsForgottenTooSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := limited(t, "1/h")
		used := func() int64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		flood := func(from int) (through int) {
			for i := range 12_000 {
				if status, _ := publishFrom(t, e, fmt.Sprintf("10.%d.%d.%d:1", from, i>>8, i&255)); status == 200 {
					through++
				}
			}
			return through
		}
		before := used()
		if n := flood(0); n != 10_001 { // the last one for all others together
			t.Errorf("%d got through; want 10,001", n)
		}
		if status, _ := publishFrom(t, e, "10.0.0.0:1"); status != 429 {
			t.Errorf("the first of them: HTTP %d; want 429", status)
		}
		time.Sleep(59 * time.Minute)
		if n := flood(0); n != 0 {
			t.Errorf("%d got through again within the hour", n)
		}
		for round := range 3 {
			time.Sleep(time.Hour)
			flood(round)
		}
		const most = 16 << 20
		if grown := used() - before; grown > most {
			t.Errorf("it takes %d bytes more; want %d at the most", grown, most)
		}
		runtime.KeepAlive(e)
	})
}

func TestWhatIsNoRateIsRefused(t *testing.T) {
	for _, text := range []string{"", "10", "10/", "/s", "0/s", "-1/s", "+1/s", "1.5/s", "10001/s", "010/s", "1/d", "1/min", "1 /s", "1/s ", "99999999999999999999/s"} {
		if _, err := core.ParseRate(text); !errors.Is(err, core.ErrRate) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
