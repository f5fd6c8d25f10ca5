//go:build e2e

package redis_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/redis"
	"novcomet/core/redis/redistest"
)

// often makes up for a Notifier that is not there, as long as it is not.
var often = core.Settings{Tries: 20, Sleep: 500 * time.Millisecond}

// never looks by itself within a test: what is seen, the Notifier told.
var never = core.Settings{Tries: 1, Sleep: time.Hour}

// A server that hangs is noticed after the timeout alone; elsewhere it must not pass on a loaded machine.
const (
	impatient = 2 * time.Second
	patient   = 30 * time.Second
)

// Each of these goes wrong while events are published all the time, and lasts until it is noticed. A publication that was said
// to be stored afterwards must be seen by everybody.
func TestWhateverHappensToTheServerNothingIsMissedAfterItIsBack(t *testing.T) {
	cut := func(server *redistest.Server) {
		for _, kind := range []string{"normal", "pubsub"} {
			server.Do("CLIENT", "KILL", "TYPE", kind)
		}
	}
	for name, test := range map[string]struct {
		happens func(server *redistest.Server) (ends func())
		lasts   bool // until it is logged
		timeout time.Duration
	}{
		"it is killed and starts empty": {func(server *redistest.Server) func() {
			server.Kill()
			return server.Restart
		}, true, patient},
		"it is killed and starts with its data": {func(server *redistest.Server) func() {
			server.Save()
			server.Kill()
			return server.Restart
		}, true, patient},
		"it hangs": {(*redistest.Server).Freeze, true, impatient},
		"it has another password": {func(server *redistest.Server) func() {
			server.Do("CONFIG", "SET", "requirepass", "another")
			server.Password = "another"
			cut(server)
			return func() {
				server.Do("CONFIG", "SET", "requirepass", "secret")
				server.Password = "secret"
			}
		}, true, patient},
		"it forgets everything": {func(server *redistest.Server) func() {
			server.Do("FLUSHALL")
			return func() { server.Do("SCRIPT", "FLUSH") }
		}, false, patient},
		"it ends all connections": {func(server *redistest.Server) func() {
			cut(server)
			return func() { cut(server) }
		}, false, patient},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &redistest.Server{Password: "secret"}
			server.Start(t)
			a := gather(t, redis.Options{Addresses: []string{server.Address()}, Password: "secret", Timeout: test.timeout}, often, "a", "b", "c")
			a.expectAllSee()
			stop := a.steadily()
			ends := test.happens(server)
			if test.lasts {
				a.expectNoticed()
			}
			ends()
			stop()
			a.expectAllSee()
			a.expectLogged(test.lasts)
			redistest.WaitFor(t, "it listens again", func() bool { return channels(server) != "[]" })
			a.expectAllSee()
		})
	}
}

// What another program publishes the moment the server is back, nobody here has been told of.
func TestWhatIsPublishedBeforeTheConnectionIsBackIsSeen(t *testing.T) {
	server := redistest.Start(t)
	a := gather(t, redis.Options{Addresses: []string{server.Address()}}, often, "a")
	a.expectAllSee()
	server.Kill()
	a.expectNoticed()
	server.Restart()
	stamp := time.Now().UnixMicro()
	server.Do("HSET", prefix+"a", "s", stamp)
	a.expectSeen("a", core.Stamp(stamp))
}

// The connection is cut over and over, also while it subscribes. There is no round here that could make up for it.
func TestAConnectionThatIsCutWhileItSubscribesLosesNothing(t *testing.T) {
	const events, cuts = 50, 10
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Address())
	names := make([]string, events)
	for i := range names {
		names[i] = fmt.Sprint("event ", i)
	}
	a := gather(t, redis.Options{Addresses: []string{proxy.Address}}, never, names...)
	a.publisher = open(t, redis.Options{Addresses: []string{server.Address()}})
	for range cuts {
		stop := a.steadily()
		proxy.Cut()
		stop()
		a.expectAllSee()
	}
	if n := proxy.Accepted(); n < cuts {
		t.Errorf("%d connections; it was hardly ever cut", n)
	}
}

func TestWhereTheServerHangsPollsEndUnchangedAndInTime(t *testing.T) {
	server, store := single(t)
	hurried := open(t, redis.Options{Addresses: []string{server.Address()}, Timeout: impatient})
	endpoint := core.NewEndpoint(hurried, core.Settings{Tries: 2, Sleep: time.Second})
	defer endpoint.Close()
	stamp := mustPublish(t, store, "a")
	thaw := server.Freeze()
	defer thaw()
	began := time.Now()
	for query, want := range map[string]string{
		"subscribed[a]=now":                           `{"s":0,"at":{"a":"now"}}`,
		"subscribed[a]=0.000000":                      `{"s":0,"at":{"a":"0.000000"}}`,
		"subscribed[a]=" + fmt.Sprint(stamp.Second()): `{"s":0}`,
	} {
		if got := ask(t, endpoint, query); got != want {
			t.Errorf("%s: %s; want %s", query, got, want)
		}
	}
	if took := time.Since(began); took > redistest.Patience {
		t.Errorf("three polls of 2 s took %v", took)
	}
}

func TestAFailoverBySentinelLosesNothingPublishedAfterIt(t *testing.T) {
	for name, ahead := range map[string][2]time.Duration{
		"clocks that agree":                       {0, 0},
		"the clock of the new master 10 s behind": {0, -10 * time.Second},
		"the clock of the new master 10 s ahead":  {0, 10 * time.Second},
		"the clock of the new master 1 s behind":  {time.Second, 0},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			replicated := redistest.StartReplicated(t,
				&redistest.Server{Ahead: ahead[0], Password: "secret"}, &redistest.Server{Ahead: ahead[1], Password: "secret"})
			o := redis.Options{Addresses: replicated.Sentinels, Master: redistest.Master, Password: "secret"}
			a := gather(t, o, often, "a", "b")
			a.expectAllSee()
			replicated.Failover()
			// The clock of clients who go by whole seconds is one that was set back, if this was: they see what is later.
			back := ahead[1] - ahead[0]
			before := mustLook(t, a.publisher, "a").Stamps[0]
			stamp := a.publish("a")
			if isLater := stamp > before; isLater != (back > -2*time.Second) {
				t.Errorf("the stamp after %v is %v", before, stamp)
			}
			a.expectLater(t, "a", before, stamp)
			a.expectLogged(false)
		})
	}
}

// expectLater waits until every client has seen the stamp, which may be earlier than the one before.
func (a *audience) expectLater(t *testing.T, name string, before, stamp core.Stamp) {
	t.Helper()
	for _, precise := range []bool{true, false} {
		what := fmt.Sprintf("the client (precise: %v) saw %v after %v", precise, stamp, before)
		redistest.WaitFor(t, what, func() bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			seen := a.seen[client{name, precise}]
			if precise {
				return seen == stamp
			}
			return seen.Second() == stamp.Second()
		})
	}
}

func TestASlotThatMovesLosesNothing(t *testing.T) {
	cluster := redistest.StartCluster(t, &redistest.Server{}, &redistest.Server{}, &redistest.Server{})
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	for _, server := range cluster.Servers {
		addUser(server, "novcomet", rights+clusterRights)
	}
	a := gather(t, redis.Options{Addresses: cluster.Addresses(), Username: "novcomet", Password: "secret"}, never, names...)
	a.expectAllSee()
	owner := cluster.Owner(prefix + "a")
	for range 2 { // there and back
		stop := a.steadily()
		next := (owner + 1) % len(cluster.Servers)
		cluster.Move(prefix+"a", owner, next, a.expectAllSee)
		owner = next
		stop()
		a.expectAllSee()
	}
	if lines := a.log.lines(); len(lines) > 0 {
		t.Errorf("logged: %s", lines)
	}
}

// Each server sets stamps by its own clock, and a poll may wait for events of all of them.
func TestInAClusterTheEarliestClockCounts(t *testing.T) {
	const behind = 10 * time.Second
	cluster := redistest.StartCluster(t, &redistest.Server{}, &redistest.Server{Ahead: -behind})
	byOwner := eventsOf(cluster)
	store := open(t, redis.Options{Addresses: cluster.Addresses()})
	if now := mustLook(t, store, byOwner[0]).Now; now.Sub(core.StampOf(time.Now())) < -behind/2 {
		t.Errorf("it is %v, by a clock that was not asked for", now)
	}
	for _, names := range [][]string{{byOwner[0], byOwner[1]}, {byOwner[1]}, {byOwner[0]}, nil} {
		now := mustLook(t, store, names...).Now
		if latest := core.StampOf(time.Now()).Add(-behind); now > latest {
			t.Errorf("looking at %q it is %v; want at most %v", names, now, latest)
		}
	}
}

func TestAServerOfAClusterThatIsGoneLeavesTheOthersAlone(t *testing.T) {
	cluster := redistest.StartCluster(t, &redistest.Server{Arguments: []string{"--cluster-require-full-coverage", "no"}},
		&redistest.Server{Arguments: []string{"--cluster-require-full-coverage", "no"}},
		&redistest.Server{Arguments: []string{"--cluster-require-full-coverage", "no"}})
	byOwner := eventsOf(cluster)
	a := gather(t, redis.Options{Addresses: cluster.Addresses()}, often, byOwner[0], byOwner[1], byOwner[2])
	a.expectAllSee()
	gone := cluster.Servers[2]
	gone.Save()
	gone.Kill()
	a.expectNoticed()
	for _, name := range []string{byOwner[0], byOwner[1]} {
		a.expectSeen(name, a.publish(name))
	}
	gone.Restart()
	a.expectAllSee()
	a.expectLogged(true)
}

// eventsOf returns an event of each server.
func eventsOf(cluster *redistest.Cluster) map[int]string {
	byOwner := map[int]string{}
	for i := 0; len(byOwner) < len(cluster.Servers); i++ {
		name := fmt.Sprint("event ", i)
		byOwner[cluster.Owner(prefix+name)] = name
	}
	return byOwner
}
