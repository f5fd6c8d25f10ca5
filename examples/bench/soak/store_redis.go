package soak

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkg/errors"
	goredis "github.com/redis/go-redis/v9"

	"novcomet/core/servertest"
	"novcomet/examples/internal/launch"
)

// redisStore keeps the events in Redis.
type redisStore struct {
	servers []*servertest.Redis
	client  goredis.UniversalClient // of the publishers
	keys    map[string]string       // of comet.yaml
	script  *goredis.Script         // publish.lua
	more    []disturbance           // those of this way to run Redis
}

// open reads publish.lua, and connects the publishers. keys are those of comet.yaml.
func (r *redisStore) open(ctx context.Context, h *host, o goredis.UniversalOptions, keys map[string]string) error {
	source, err := launch.Source(ctx)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(source, "core", "store", "redis", "publish.lua"))
	if err != nil {
		return errors.Wrap(err, "reading publish.lua")
	}
	r.script = goredis.NewScript(string(text))
	o.Protocol, o.DisableIdentity, o.MaxRetries = 2, true, -1
	o.ContextTimeoutEnabled = true
	r.client = goredis.NewUniversalClient(&o)
	h.Cleanup(func() { _ = r.client.Close() })
	r.keys = with(keys, map[string]string{"store": "redis"})
	return nil
}

// openRedis starts one server. comet-fcgi reaches it by a proxy, which can leave connections hanging.
func openRedis(ctx context.Context, h *host) (*redisStore, error) {
	server := servertest.StartRedis(h, servertest.RedisOptions{SettableClock: true})
	proxy := servertest.StartProxy(h, server.Address())
	r := &redisStore{servers: []*servertest.Redis{server}}
	err := r.open(ctx, h, goredis.UniversalOptions{Addrs: []string{server.Address()}},
		map[string]string{"redis.addresses": "[" + proxy.Address + "]"})
	r.more = []disturbance{
		r.stop(func() {}),
		// comet-fcgi notices the last of the hanging connections after some seconds.
		{"hang", "store", 10 * time.Second, func(t turn) (stop, error) {
			proxy.Stall()
			return func() error { return nil }, nil
		}},
		{"clock", "store", 10 * time.Second, func(t turn) (stop, error) {
			const most = 10
			ahead := time.Duration(1+t.random.IntN(most)) * time.Second
			t.record.Ahead = toMicros(ahead)
			server.SetAhead(ahead)
			return func() error { server.SetAhead(0); return nil }, nil
		}},
	}
	return r, err
}

// openSentinel starts a master, its replica and three Sentinels.
func openSentinel(ctx context.Context, h *host) (*redisStore, error) {
	replicated := servertest.StartReplicated(h, servertest.RedisOptions{}, servertest.RedisOptions{})
	r := &redisStore{servers: replicated.Servers[:]}
	err := r.open(ctx, h, goredis.UniversalOptions{Addrs: replicated.Sentinels, MasterName: servertest.MasterName},
		map[string]string{
			"redis.addresses": "[" + strings.Join(replicated.Sentinels, ", ") + "]", "redis.master": servertest.MasterName,
		})
	master := 0
	r.more = []disturbance{
		{"failover", "store", 5 * time.Second, func(t turn) (stop, error) {
			old := replicated.Servers[master]
			master = 1 - master
			old.Kill()
			servertest.WaitFor(h, "the replica is the master", func() bool {
				return role(replicated.Servers[master]) == "master"
			})
			return func() error {
				old.Restart() // The Sentinels make it a replica.
				servertest.WaitFor(h, "the old master is a replica", func() bool { return role(old) == "slave connected" })
				return nil
			}, nil
		}},
	}
	return r, err
}

// role returns "master", "slave" and the state of its connection to the master, or nothing if the server does
// not answer just then.
func role(server *servertest.Redis) string {
	var answer []any
	err := try(func() error {
		answer, _ = server.Do("ROLE").([]any)
		return nil
	})
	switch {
	case err != nil || len(answer) == 0:
		return ""
	case answer[0] == "slave":
		return fmt.Sprint(answer[0], " ", answer[3])
	}
	return fmt.Sprint(answer[0])
}

// openCluster starts a Cluster of three masters.
func openCluster(ctx context.Context, h *host) (*redisStore, error) {
	servers := servertest.StartCluster(h, servertest.RedisOptions{}, servertest.RedisOptions{}, servertest.RedisOptions{})
	r := &redisStore{servers: servers.Servers}
	err := r.open(ctx, h, goredis.UniversalOptions{Addrs: servers.Addresses(), IsClusterMode: true},
		map[string]string{"redis.addresses": "[" + strings.Join(servers.Addresses(), ", ") + "]"})
	owners := map[string]int{}
	r.more = []disturbance{
		r.stop(servers.WaitUntilComplete), // The others count it as failed for some seconds more.
		{"move", "store", 5 * time.Second, func(t turn) (stop, error) {
			t.record.Target = fmt.Sprintf("busy-%d", t.random.IntN(busyEvents))
			from, moved := owners[t.record.Target]
			if !moved {
				from = servers.Owner(key(t.record.Target))
			}
			to := (from + 1 + t.random.IntN(len(servers.Servers)-1)) % len(servers.Servers)
			half := time.Duration(t.random.IntN(2000)) * time.Millisecond
			servers.Move(key(t.record.Target), from, to, func() { _ = launch.Sleep(context.Background(), half) })
			owners[t.record.Target] = to
			return nil, nil
		}},
	}
	return r, err
}

func key(id string) string { return "novcomet:" + id }

func (r *redisStore) directory() string { return "" }

func (r *redisStore) settings(endpoint map[string]string) map[string]string {
	return with(endpoint, r.keys)
}

// ways are publish.lua, with and without data.
func (r *redisStore) ways(*launch.Site) []way {
	run := func(ctx context.Context, id string, arguments ...any) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		return errors.Wrap(r.script.Eval(ctx, r.client, []string{key(id)}, arguments...).Err(), "publish.lua")
	}
	return []way{
		{"script", false, func(ctx context.Context, id, _ string) error { return run(ctx, id) }},
		{"script with data", true, func(ctx context.Context, id, data string) error { return run(ctx, id, 0, data) }},
	}
}

func (r *redisStore) stamp(ctx context.Context, id string) (micros, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	stamp, err := r.client.HGet(ctx, key(id), "s").Int64()
	return micros(stamp), errors.Wrap(err, "reading the stamp")
}

func (r *redisStore) disturbances(*soak) []disturbance {
	return append([]disturbance{
		{"flush", "store", 0, func(t turn) (stop, error) {
			for _, server := range r.servers {
				if role(server) == "master" {
					server.Do("FLUSHALL")
				}
			}
			return nil, nil
		}},
	}, r.more...)
}

// stop lets one of the servers not answer for some time, until all have recovered. (The Sentinels would
// replace a master.)
func (r *redisStore) stop(recovered func()) disturbance {
	return disturbance{"stop store", "store", 20 * time.Second, func(t turn) (stop, error) {
		thaw := r.servers[t.random.IntN(len(r.servers))].Freeze()
		return func() error { thaw(); recovered(); return nil }, nil
	}}
}
