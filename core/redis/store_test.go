//go:build e2e

package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/redis"
	"novcomet/core/redis/redistest"
)

const prefix = "comet-test:"

func open(t testing.TB, o redis.Options) *redis.Store {
	t.Helper()
	if o.Prefix == "" {
		o.Prefix = prefix
	}
	if o.Timeout == 0 {
		o.Timeout = patient
	}
	store, err := redis.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func single(t testing.TB) (*redistest.Server, *redis.Store) {
	t.Helper()
	server := redistest.Start(t)
	return server, open(t, redis.Options{Addresses: []string{server.Address()}})
}

func mustID(t testing.TB, name string) core.ID {
	t.Helper()
	id, err := core.ParseID(name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func mustPublish(t testing.TB, store core.Store, name string) core.Stamp {
	t.Helper()
	stamp, err := store.Publish(t.Context(), mustID(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return stamp
}

func mustLook(t testing.TB, store core.Store, names ...string) core.Snapshot {
	t.Helper()
	ids := make([]core.ID, len(names))
	for i, name := range names {
		ids[i] = mustID(t, name)
	}
	snapshot, err := store.Stamps(t.Context(), ids)
	if err = errors.Join(err, snapshot.Missed); err != nil {
		t.Fatal(err)
	}
	return snapshot
}

func TestAPublicationIsAHashWithTheServersTime(t *testing.T) {
	server, store := single(t)
	before := mustLook(t, store).Now
	stamp := mustPublish(t, store, "a b")
	after := mustLook(t, store).Now
	if stamp < before || stamp > after {
		t.Errorf("published between %v and %v, but the stamp is %v", before, after, stamp)
	}
	if got := server.Do("HGETALL", prefix+"a b"); fmt.Sprint(got) != fmt.Sprintf("[s %d]", stamp) {
		t.Errorf("the key holds %v; want s %d", got, stamp)
	}
	if got := server.Do("PTTL", prefix+"a b"); got != int64(-1) {
		t.Errorf("it expires after %v ms; want never", got)
	}
}

// The stamps are written into the key, as one of another server or another program would be.
func TestAStampIsStrictlyLaterUnlessTheOneBeforeIsFarAhead(t *testing.T) {
	server, store := single(t)
	for name, test := range map[string]struct {
		ahead time.Duration
		later bool // than before by 1 µs; else it is the server's time
	}{
		"long ago":      {-time.Hour, false},
		"a second ago":  {-time.Second, false},
		"1.5 s ahead":   {1500 * time.Millisecond, true},
		"2.5 s ahead":   {2500 * time.Millisecond, false},
		"far ahead":     {24 * time.Hour, false},
		"in 150 years":  {150 * 365 * 24 * time.Hour, false},
		"before anyone": {-56 * 365 * 24 * time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			now := mustLook(t, store).Now
			before := now.Add(test.ahead)
			server.Do("HSET", prefix+"a", "s", int64(before))
			stamp := mustPublish(t, store, "a")
			if test.later && stamp != before+1 {
				t.Errorf("%v after %v; want 1 µs later", stamp, before)
			}
			if latest := mustLook(t, store).Now; !test.later && (stamp < now || stamp > latest) {
				t.Errorf("%v after %v; want the server's time, from %v to %v", stamp, before, now, latest)
			}
			if got := mustLook(t, store, "a").Stamps[0]; got != stamp {
				t.Errorf("%v is seen as %v", stamp, got)
			}
		})
	}
}

func TestWhatIsNoStampIsNoneAndTheNextPublicationMendsIt(t *testing.T) {
	server, store := single(t)
	for _, text := range []string{"", "soon", "-5", "1e15", "1763800000.5", "nan", "inf", "-inf", "0x10", "99999999999999999999", strings.Repeat("9", 400)} {
		server.Do("HSET", prefix+"a", "s", text)
		if got := mustLook(t, store, "a").Stamps[0]; got != 0 {
			t.Errorf("%q is seen as %v", text, got)
		}
		now := mustLook(t, store).Now
		stamp := mustPublish(t, store, "a")
		if latest := mustLook(t, store).Now; stamp < now || stamp > latest {
			t.Errorf("published after %q at %v; want a time from %v to %v", text, stamp, now, latest)
		}
		if got := mustLook(t, store, "a").Stamps[0]; got != stamp {
			t.Errorf("after %q: %v is seen as %v", text, stamp, got)
		}
	}
}

func TestAKeyOfAnotherTypeIsAnErrorOfThatEventAlone(t *testing.T) {
	server, store := single(t)
	server.Do("SET", prefix+"text", "1763800000000000")
	server.Do("RPUSH", prefix+"list", "1")
	want := []core.Stamp{0, mustPublish(t, store, "good"), 0}
	got := mustLook(t, store, "text", "good", "list").Stamps
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("seen as %v; want %v", got, want)
	}
	for _, name := range []string{"text", "list"} {
		_, err := store.Publish(t.Context(), mustID(t, name))
		if err == nil || errors.Is(err, core.ErrUnavailable) || !strings.Contains(err.Error(), `"`+name+`"`) || !strings.Contains(err.Error(), "not a hash") {
			t.Errorf("publish %s: %v; want an error that names the event and the reason", name, err)
		}
	}
	if got := server.Do("GET", prefix+"text"); got != "1763800000000000" {
		t.Errorf("what somebody else keeps there became %v", got)
	}
}

func TestAnEventExpiresOnlyWhereThatIsWanted(t *testing.T) {
	server, forever := single(t)
	expiring := open(t, redis.Options{Addresses: []string{server.Address()}, Expire: time.Hour})
	for _, test := range []struct {
		name     string
		store    core.Store
		from, to int64 // ms
	}{
		{"set", expiring, 3_500_000, 3_600_000},
		{"taken away", forever, -1, -1},
		{"set again", expiring, 3_500_000, 3_600_000},
	} {
		mustPublish(t, test.store, "a")
		if left := server.Do("PTTL", prefix+"a").(int64); left < test.from || left > test.to {
			t.Errorf("%s: it expires after %d ms; want %d to %d", test.name, left, test.from, test.to)
		}
	}
	brief := open(t, redis.Options{Addresses: []string{server.Address()}, Expire: time.Millisecond})
	last := mustPublish(t, brief, "a")
	redistest.WaitFor(t, "it is forgotten", func() bool { return mustLook(t, brief, "a").Stamps[0] == 0 })
	if next := mustPublish(t, forever, "a"); next <= last {
		t.Errorf("after it was forgotten, %v follows %v", next, last)
	}
}

func TestAnyProgramPublishesWithTheScript(t *testing.T) {
	cli, err := exec.LookPath("redis-cli")
	if err != nil {
		t.Skip(err)
	}
	server, store := single(t)
	_, port, _ := strings.Cut(server.Address(), ":")
	for _, test := range []struct {
		name      string
		arguments []string
		data      any
		expires   bool
	}{
		{"with the key alone", nil, nil, false},
		{"with data", []string{",", "0", `{"build":"green"}`}, `{"build":"green"}`, false},
		{"without data, which leaves it, to be forgotten", []string{",", "60000"}, `{"build":"green"}`, true},
		{"with empty data", []string{",", "0", ""}, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := mustLook(t, store).Now
			arguments := append([]string{"-p", port, "--eval", "publish.lua", prefix + "cli"}, test.arguments...)
			output, err := exec.CommandContext(t.Context(), cli, arguments...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, output)
			}
			stamp := mustLook(t, store, "cli").Stamps[0]
			if said := strings.TrimSpace(string(output)); stamp < before || said != fmt.Sprint(int64(stamp)) {
				t.Errorf("it says %s; the stamp is %d, published after %d", said, stamp, before)
			}
			if got := server.Do("HMGET", prefix+"cli", "d").([]any)[0]; got != test.data {
				t.Errorf("the data is %v; want %v", got, test.data)
			}
			if expires := server.Do("PTTL", prefix+"cli").(int64) > 0; expires != test.expires {
				t.Errorf("it expires: %v; want %v", expires, test.expires)
			}
		})
	}
}

func TestOptionsThatCannotBeMeantAreErrors(t *testing.T) {
	for name, o := range map[string]redis.Options{
		"no address":              {},
		"an address without port": {Addresses: []string{"localhost"}},
		"one of several":          {Addresses: []string{"localhost:6379", "localhost"}},
		"a database of a Cluster": {Addresses: []string{"a:1", "b:2"}, DB: 1},
		"a negative database":     {Addresses: []string{"a:1"}, DB: -1},
		"a negative expiry":       {Addresses: []string{"a:1"}, Expire: -time.Second},
		"an expiry of 1 µs":       {Addresses: []string{"a:1"}, Expire: time.Microsecond},
		"a negative timeout":      {Addresses: []string{"a:1"}, Timeout: -time.Second},
	} {
		if store, err := redis.Open(o); err == nil {
			t.Errorf("%s: no error", name)
			store.Close()
		}
	}
}

func TestEachDatabaseHasItsOwnEvents(t *testing.T) {
	server, store := single(t)
	another := open(t, redis.Options{Addresses: []string{server.Address()}, DB: 3})
	mustPublish(t, another, "a")
	if stamp := mustLook(t, store, "a").Stamps[0]; stamp != 0 {
		t.Errorf("seen in another database: %v", stamp)
	}
	if err := hears(t, another, "a"); err != nil {
		t.Error(err)
	}
}

func TestOneServerOfAClusterDoesNotDoAndTheErrorSaysWhy(t *testing.T) {
	cluster := redistest.StartCluster(t, &redistest.Server{}, &redistest.Server{})
	store := open(t, redis.Options{Addresses: cluster.Addresses()[:1]})
	name := eventsOf(cluster)[1]
	if _, err := store.Publish(t.Context(), mustID(t, name)); !errors.Is(err, core.ErrUnavailable) || !strings.Contains(err.Error(), "several of its addresses") {
		t.Errorf("%v; want one that says what is needed", err)
	}
}

func TestOpenConnectsToNothing(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Address())
	store := open(t, redis.Options{Addresses: []string{proxy.Address}})
	if n := proxy.Accepted(); n != 0 {
		t.Errorf("%d connections", n)
	}
	mustPublish(t, store, "a")
	mustLook(t, store, "a")
	mustPublish(t, store, "a")
	if n := proxy.Accepted(); n != 1 {
		t.Errorf("%d connections for one call after the other; want 1", n)
	}
}

func TestAClosedStoreSaysSo(t *testing.T) {
	server := redistest.Start(t)
	store, err := redis.Open(redis.Options{Addresses: []string{server.Address()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Publish(t.Context(), mustID(t, "a")); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("publish: %v", err)
	}
	if _, err := store.Stamps(t.Context(), nil); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("look: %v", err)
	}
	if err := store.NotifyOf(t.Context(), newInterest(), func(...core.ID) {}); err == nil || t.Context().Err() != nil {
		t.Errorf("notify: %v", err)
	}
}

func TestACallEndsWithItsContextAndSaysWhy(t *testing.T) {
	server, store := single(t)
	thaw := server.Freeze()
	defer thaw()
	leaving := errors.New("leaving")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(leaving) })
	if _, err := store.Publish(ctx, mustID(t, "a")); !errors.Is(err, leaving) {
		t.Errorf("publish: %v; want the cause", err)
	}
	if _, err := store.Stamps(ctx, nil); !errors.Is(err, leaving) {
		t.Errorf("look: %v; want the cause", err)
	}
}

// ask sends a GET request and returns the answer.
func ask(t testing.TB, h http.Handler, query string) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?"+query, nil))
	return strings.TrimSpace(w.Body.String())
}
