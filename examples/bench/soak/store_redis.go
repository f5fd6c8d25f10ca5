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
	servers   []*servertest.Redis
	addresses []string                // that comet-fcgi has
	master    string                  // its name, with Sentinels
	script    *goredis.Script         // publish.lua
	client    goredis.UniversalClient // of the publishers
	more      []disturbance           // those of this way to run Redis
}

// connect reads publish.lua, and connects the publishers.
func (r *redisStore) connect(ctx context.Context, h *Host, o goredis.UniversalOptions) error {
	source, err := launch.Source(ctx)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(source, "core", "store", "redis", "publish.lua"))
	if err != nil {
		return errors.Wrap(err, "reading publish.lua")
	}
	r.script = goredis.NewScript(string(text))
	o.Protocol, o.DisableIdentity, o.MaxRetries, o.ContextTimeoutEnabled = 2, true, -1, true
	r.client = goredis.NewUniversalClient(&o)
	h.Cleanup(func() { _ = r.client.Close() })
	return nil
}

// openRedis starts one server. comet-fcgi reaches it by a proxy, which can leave connections hanging.
func openRedis(ctx context.Context, h *Host) (*redisStore, error) {
	server := servertest.StartRedis(h, servertest.RedisOptions{SettableClock: true})
	proxy := servertest.StartProxy(h, server.Address())
	r := &redisStore{servers: []*servertest.Redis{server}, addresses: []string{proxy.Address}}
	r.more = []disturbance{
		r.stop(func() {}),
		// comet-fcgi notices the last of the hanging connections after some seconds.
		{"hang", "store", 10 * time.Second, func(occurrence) (stop, error) {
			proxy.Stall()
			return then(func() {})
		}},
		{clockKind, "store", 10 * time.Second, func(o occurrence) (stop, error) {
			const most = 10
			ahead := time.Duration(1+o.random.IntN(most)) * time.Second
			o.Ahead = toMicros(ahead)
			server.SetAhead(ahead)
			return then(func() { server.SetAhead(0) })
		}},
	}
	return r, r.connect(ctx, h, goredis.UniversalOptions{Addrs: []string{server.Address()}})
}

// openSentinel starts a master, its replica and three Sentinels.
func openSentinel(ctx context.Context, h *Host) (*redisStore, error) {
	replicated := servertest.StartReplicated(h, servertest.RedisOptions{}, servertest.RedisOptions{})
	r := &redisStore{
		servers: replicated.Servers[:], addresses: replicated.Sentinels, master: servertest.MasterName,
		more: []disturbance{
			{"failover", "store", 5 * time.Second, func(occurrence) (stop, error) { return then(replicated.Failover()) }},
		},
	}
	return r, r.connect(ctx, h, goredis.UniversalOptions{Addrs: r.addresses, MasterName: r.master})
}

// openCluster starts a Cluster of three masters.
func openCluster(ctx context.Context, h *Host) (*redisStore, error) {
	// A server that is stopped for more than 5 s counts as failed.
	o := servertest.RedisOptions{Arguments: []string{"--cluster-node-timeout", "5000"}}
	servers := servertest.StartCluster(h, o, o, o)
	r := &redisStore{servers: servers.Servers, addresses: servers.Addresses()}
	owners := map[string]int{}
	r.more = []disturbance{
		r.stop(servers.WaitUntilComplete), // The others count it as failed for some seconds more.
		{"move", "store", 5 * time.Second, func(o occurrence) (stop, error) {
			id := fmt.Sprintf("busy-%d", o.random.IntN(busyEvents))
			o.Target = id
			from, moved := owners[id]
			if !moved {
				from = servers.Owner(key(id))
			}
			to := (from + 1 + o.random.IntN(len(servers.Servers)-1)) % len(servers.Servers)
			half := time.Duration(o.random.IntN(2000)) * time.Millisecond
			servers.Move(key(id), from, to, func() { _ = launch.Sleep(o.ctx, half) })
			owners[id] = to
			return nil, nil
		}},
	}
	return r, r.connect(ctx, h, goredis.UniversalOptions{Addrs: r.addresses, IsClusterMode: true})
}

func key(id string) string { return "novcomet:" + id }

func (r *redisStore) configure(o *launch.Options) {
	o.Settings["store"] = "redis"
	o.Settings["redis.addresses"] = "[" + strings.Join(r.addresses, ", ") + "]"
	if r.master != "" {
		o.Settings["redis.master"] = r.master
	}
}

// ways are publish.lua, with and without data.
func (r *redisStore) ways(*launch.Site) []way {
	run := func(ctx context.Context, id string, arguments ...any) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		return errors.Wrap(r.script.Eval(ctx, r.client, []string{key(id)}, arguments...).Err(), "publish.lua")
	}
	return []way{
		{name: "script", publish: func(ctx context.Context, id, _ string) error { return run(ctx, id) }},
		{name: "script with data", data: true, publish: func(ctx context.Context, id, data string) error {
			return run(ctx, id, 0, data)
		}},
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
		{"flush", "store", 0, func(occurrence) (stop, error) {
			for _, server := range r.servers {
				if server.IsMaster() {
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
	return disturbance{"stop store", "store", 20 * time.Second, func(o occurrence) (stop, error) {
		thaw := r.servers[o.random.IntN(len(r.servers))].Freeze()
		return then(func() { thaw(); recovered() })
	}}
}
