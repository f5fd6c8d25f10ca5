//go:build e2e

package redis_test

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"novcomet/core/internal/coretest"
	"novcomet/core/servertest"
	"novcomet/core/store"
	"novcomet/core/store/redis"
)

func TestPublish_SetsServerTimeInHash(t *testing.T) {
	server, s := start(t)
	before := check(t, s).Now
	stamp := publish(t, s, "a b")
	if after := check(t, s).Now; stamp < before || stamp > after {
		t.Errorf("published between %v and %v, the stamp is %v", before, after, stamp)
	}
	if got := server.Do("HGETALL", prefix+"a b"); fmt.Sprint(got) != fmt.Sprintf("[s %d]", stamp) {
		t.Errorf("the key holds %v; want s %d", got, stamp)
	}
	if got := server.Do("PTTL", prefix+"a b"); got != int64(-1) {
		t.Errorf("the key expires after %v ms; want never", got)
	}
}

func TestPublish_LeavesKeyOfAnotherTypeAlone(t *testing.T) {
	server, s := start(t)
	server.Do("SET", prefix+"text", "1763800000000000")
	server.Do("RPUSH", prefix+"list", "1")
	for _, name := range []string{"text", "list"} {
		_, err := s.Publish(t.Context(), coretest.MustID(name), nil)
		if err == nil || errors.Is(err, store.ErrUnavailable) ||
			!strings.Contains(err.Error(), `"`+name+`"`) || !strings.Contains(err.Error(), "not a hash") {
			t.Errorf("publish %s: %v; want an error that names the event and the reason", name, err)
		}
	}
	if got := server.Do("GET", prefix+"text"); got != "1763800000000000" {
		t.Errorf("the other program's value is now %v", got)
	}
}

func TestPublish_SetsAndRemovesExpiry(t *testing.T) {
	server, forever := start(t)
	expiring := open(t, redis.Options{Addresses: []string{server.Address()}, Expire: time.Hour})
	for _, test := range []struct {
		name     string
		store    *redis.Store
		from, to int64 // ms
	}{
		{"set", expiring, 3_500_000, 3_600_000},
		{"removed", forever, -1, -1},
		{"set again", expiring, 3_500_000, 3_600_000},
	} {
		publish(t, test.store, "a")
		if left := server.Do("PTTL", prefix+"a").(int64); left < test.from || left > test.to {
			t.Errorf("%s: the key expires after %d ms; want %d to %d", test.name, left, test.from, test.to)
		}
	}
	brief := open(t, redis.Options{Addresses: []string{server.Address()}, Expire: time.Millisecond})
	last := publish(t, brief, "a")
	servertest.WaitFor(t, "the event is removed", func() bool { return check(t, brief, "a").Stamps[0] == 0 })
	if next := publish(t, forever, "a"); next <= last {
		t.Errorf("after the event was removed, %v follows %v", next, last)
	}
}

func TestPublishScript_RunsInRedisCLI(t *testing.T) {
	cli, err := exec.LookPath("redis-cli")
	if err != nil {
		t.Fatalf("redis-cli is not installed (apt install redis-tools): %v", err)
	}
	server, s := start(t)
	_, port, _ := strings.Cut(server.Address(), ":")
	for _, test := range []struct {
		name      string
		arguments []string
		data      any
		expires   bool
	}{
		{"the key alone", nil, nil, false},
		{"data", []string{",", "0", `{"build":"green"}`}, `{"build":"green"}`, false},
		{"an expiry without data leaves the data", []string{",", "60000"}, `{"build":"green"}`, true},
		{"empty data removes the data", []string{",", "0", ""}, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := check(t, s).Now
			arguments := append([]string{"-p", port, "--eval", "publish.lua", prefix + "cli"}, test.arguments...)
			output, err := exec.CommandContext(t.Context(), cli, arguments...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, output)
			}
			stamp := check(t, s, "cli").Stamps[0]
			if answer := strings.TrimSpace(string(output)); stamp < before || answer != fmt.Sprint(int64(stamp)) {
				t.Errorf("the answer is %s; the stamp is %d, published after %d", answer, stamp, before)
			}
			if got := server.Do("HMGET", prefix+"cli", "d").([]any)[0]; got != test.data {
				t.Errorf("the data is %v; want %v", got, test.data)
			}
			if expires := server.Do("PTTL", prefix+"cli").(int64) > 0; expires != test.expires {
				t.Errorf("expires: %v; want %v", expires, test.expires)
			}
		})
	}
}
