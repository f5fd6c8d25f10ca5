//go:build e2e

package redis_test

import (
	"fmt"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/internal/polltest"
	"novcomet/core/servertest"
	"novcomet/core/store/redis"
)

// checked settings find publications without Watch.
var checked = core.Location{Tries: 20, Sleep: 500 * time.Millisecond}

// unchecked settings find publications only by Watch within a test.
var unchecked = core.Location{Tries: 1, Sleep: time.Hour}

// startPolls starts clients of an endpoint with a precise and a legacy client for each event.
func startPolls(t *testing.T, o redis.Options, s core.Location, events ...string) *polltest.Audience {
	t.Helper()
	return polltest.Start(t, open(t, o), open(t, o), s, polltest.Both(events...))
}

// Each fault happens while events are published, and lasts until it is logged. Every client must see what is
// published after it.
func TestPolls_MissNothingAfterFault(t *testing.T) {
	closeConnections := func(server *servertest.Redis) {
		for _, kind := range []string{"normal", "pubsub"} {
			server.Do("CLIENT", "KILL", "TYPE", kind)
		}
	}
	for name, test := range map[string]struct {
		fault   func(server *servertest.Redis) (undo func())
		isDown  bool // The fault is logged.
		timeout time.Duration
	}{
		"the server is killed and starts empty": {func(server *servertest.Redis) func() {
			server.Kill()
			return server.Restart
		}, true, patient},
		"the server is killed and starts with its data": {func(server *servertest.Redis) func() {
			server.Do("SAVE")
			server.Kill()
			return server.Restart
		}, true, patient},
		"the server hangs": {func(server *servertest.Redis) func() { return server.Freeze() }, true, impatient},
		"the server has another password": {func(server *servertest.Redis) func() {
			server.Do("CONFIG", "SET", "requirepass", "another")
			server.Password = "another"
			closeConnections(server)
			return func() {
				server.Do("CONFIG", "SET", "requirepass", "secret")
				server.Password = "secret"
			}
		}, true, patient},
		"the server loses all data and scripts": {func(server *servertest.Redis) func() {
			server.Do("FLUSHALL")
			return func() { server.Do("SCRIPT", "FLUSH") }
		}, false, patient},
		"the server closes all connections": {func(server *servertest.Redis) func() {
			closeConnections(server)
			return func() { closeConnections(server) }
		}, false, patient},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := servertest.StartRedis(t, servertest.RedisOptions{Password: "secret"})
			o := redis.Options{Addresses: []string{server.Address()}, Password: "secret", Timeout: test.timeout}
			a := startPolls(t, o, checked, "a", "b", "c")
			a.PublishAll()
			stop := a.PublishSteadily()
			undo := test.fault(server)
			if test.isDown {
				a.WaitUntilDown()
			}
			undo()
			stop()
			a.PublishAll()
			if test.timeout == impatient {
				a.ExpectRecovery()
			} else {
				a.ExpectLog(test.isDown)
			}
			servertest.WaitFor(t, "Watch is subscribed again", func() bool {
				return fmt.Sprint(server.Do("PUBSUB", "CHANNELS", prefix+"*")) != "[]"
			})
			a.PublishAll()
		})
	}
}

// Another program publishes while the server is up again and Watch is not connected yet.
func TestPolls_SeePublicationBeforeWatchIsBack(t *testing.T) {
	server := servertest.StartRedis(t, servertest.RedisOptions{})
	a := startPolls(t, redis.Options{Addresses: []string{server.Address()}}, checked, "a")
	a.PublishAll()
	server.Kill()
	a.WaitUntilDown()
	server.Restart()
	stamp := time.Now().UnixMicro()
	server.Do("HSET", prefix+"a", "s", stamp)
	a.WaitUntilSeen("a", event.Stamp(stamp))
}

// The connection is cut again and again, also while Watch subscribes. No periodic check makes up for that.
func TestPolls_MissNothingWhileConnectionIsCut(t *testing.T) {
	const events, cuts = 50, 10
	server := servertest.StartRedis(t, servertest.RedisOptions{})
	proxy := servertest.StartProxy(t, server.Address())
	names := make([]string, events)
	for i := range names {
		names[i] = fmt.Sprint("event ", i)
	}
	a := polltest.Start(t, open(t, redis.Options{Addresses: []string{proxy.Address}}),
		open(t, redis.Options{Addresses: []string{server.Address()}}), unchecked, polltest.Both(names...))
	for range cuts {
		stop := a.PublishSteadily()
		proxy.Cut()
		stop()
		a.PublishAll()
	}
	if n := proxy.Accepted(); n < cuts {
		t.Errorf("%d connections; want more than %d cuts", n, cuts)
	}
}

func TestPolls_EndUnchangedWhileServerHangs(t *testing.T) {
	server, s := start(t)
	hurried := open(t, redis.Options{Addresses: []string{server.Address()}, Timeout: impatient})
	endpoint := core.NewEndpoint(hurried, core.Options{Location: core.Location{Tries: 2, Sleep: time.Second}})
	defer endpoint.Close()
	stamp := publish(t, s, "a")
	thaw := server.Freeze()
	defer thaw()
	began := time.Now()
	for cursor, want := range map[string]string{
		"now":                      `{"s":0,"at":{"a":"now"}}`,
		"0.000000":                 `{"s":0,"at":{"a":"0.000000"}}`,
		fmt.Sprint(stamp.Second()): `{"s":0}`,
	} {
		if _, got := coretest.Ask(t, endpoint, "subscribed[a]="+cursor); got != want {
			t.Errorf("%s: %s; want %s", cursor, got, want)
		}
	}
	if took := time.Since(began); took > servertest.Patience {
		t.Errorf("three polls of 2 s took %v", took)
	}
}

func TestPolls_MissNothingAfterFailover(t *testing.T) {
	for name, ahead := range map[string][2]time.Duration{
		"the clocks agree": {0, 0},
		"the clock of the new master is 1 min behind": {0, -time.Minute},
		"the clock of the new master is 10 s ahead":   {0, 10 * time.Second},
		"the clock of the new master is 1 s behind":   {time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			replicated := servertest.StartReplicated(t,
				servertest.RedisOptions{Ahead: ahead[0], Password: "secret"},
				servertest.RedisOptions{Ahead: ahead[1], Password: "secret"})
			o := redis.Options{Addresses: replicated.Sentinels, Master: servertest.MasterName, Password: "secret"}
			s := open(t, o)
			a := startPolls(t, o, checked, "a", "b")
			a.PublishAll()
			replicated.Failover()
			old := check(t, s, "a").Stamps[0]
			stamp := a.Publish("a")
			// An old stamp that is more than 2 s ahead of the new master's clock is ignored.
			if isLater, want := stamp > old, ahead[1]-ahead[0] > -2*time.Second; isLater != want {
				t.Errorf("the stamp after %v is %v; want a later one: %v", old, stamp, want)
			}
			a.WaitUntilLast("a", stamp)
			a.ExpectLog(false)
		})
	}
}

// The periodic check is on: the servers of a Cluster do not repeat a notification that they could not send to
// each other, for example because the machine is busy and they have reconnected.
func TestPolls_MissNothingWhileSlotMoves(t *testing.T) {
	cluster := servertest.StartCluster(t, make([]servertest.RedisOptions, 3)...)
	for _, server := range cluster.Servers {
		setUser(server, rights+clusterRights)
	}
	a := startPolls(t, userOptions(cluster.Addresses()...), checked, "a", "b", "c", "d", "e", "f", "g", "h")
	a.PublishAll()
	owner := cluster.Owner(prefix + "a")
	for range 2 {
		stop := a.PublishSteadily()
		next := (owner + 1) % len(cluster.Servers)
		cluster.Move(prefix+"a", owner, next, a.PublishAll)
		owner = next
		stop()
		a.PublishAll()
	}
	a.ExpectEmptyLog()
}

func TestPolls_OneServerOfClusterDownLeavesEventsOfOthers(t *testing.T) {
	for name, interrupt := range interruptions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := startPartialCluster(t)
			names := eventOfEachServer(cluster)
			o := redis.Options{Addresses: cluster.Addresses(), Timeout: impatient}
			a := startPolls(t, o, checked, names...)
			a.PublishAll()
			resume := interrupt(cluster.Servers[2])
			a.WaitUntilDown()
			for _, name := range names[:2] {
				a.WaitUntilSeen(name, a.Publish(name))
			}
			resume()
			a.PublishAll()
			a.ExpectRecovery()
		})
	}
}
