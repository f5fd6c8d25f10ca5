//go:build linux

package servertest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Replicated is a master with one replica, and three Sentinels that watch them.
type Replicated struct {
	// Servers are the first master and its replica. After a Failover, the replica is the master.
	Servers [2]*Redis
	// Sentinels are the addresses of the Sentinels.
	Sentinels []string

	sentinels []*Redis
	master    int // index of the server that is the master
}

// MasterName is the name by which the Sentinels know the master.
const MasterName = "comet"

// StartReplicated starts the servers and the Sentinels.
func StartReplicated(t testing.TB, master, replica RedisOptions) *Replicated {
	t.Helper()
	first := StartRedis(t, master)
	replica.Arguments = slices.Concat(replica.Arguments, []string{"--replicaof", "127.0.0.1", fmt.Sprint(first.port)})
	second := StartRedis(t, replica)
	second.waitUntilReplica()
	r := &Replicated{Servers: [2]*Redis{first, second}}
	for range 3 {
		sentinel := startSentinel(t, first)
		r.sentinels = append(r.sentinels, sentinel)
		r.Sentinels = append(r.Sentinels, sentinel.Address())
	}
	for _, sentinel := range r.sentinels {
		sentinel.waitFor("the Sentinels know each other and the replica", func() bool {
			answer, err := sentinel.do("SENTINEL", "MASTER", MasterName)
			return err == nil && strings.Contains(fmt.Sprint(answer), "num-slaves 1 num-other-sentinels 2")
		})
	}
	return r
}

func startSentinel(t testing.TB, master *Redis) *Redis {
	t.Helper()
	s := &Redis{}
	s.prepare(t)
	lines := []string{
		fmt.Sprintf("port %d", s.port),
		"bind 127.0.0.1",
		"dir " + s.directory,
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 2", MasterName, master.port),
		"sentinel down-after-milliseconds " + MasterName + " 1000",
		"sentinel failover-timeout " + MasterName + " 5000",
	}
	if master.Password != "" {
		lines = append(lines, "sentinel auth-pass "+MasterName+" "+master.Password)
	}
	file := filepath.Join(s.directory, "sentinel.conf")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(redisServer, nil, []string{file, "--sentinel"}, func() bool {
		_, err := s.do("PING")
		return err == nil
	})
	return s
}

// Failover kills the master, and returns when the Sentinels have made the replica the master. rejoin
// starts the old master again, and returns when the Sentinels have made it the replica.
func (r *Replicated) Failover() (rejoin func()) {
	old, replica := r.Servers[r.master], r.Servers[1-r.master]
	r.master = 1 - r.master
	replica.t.Helper()
	old.Kill()
	replica.waitFor("the replica is the master", replica.IsMaster)
	for _, sentinel := range r.sentinels {
		sentinel.waitFor("the Sentinels name the new master", func() bool {
			answer, err := sentinel.do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName)
			return err == nil && fmt.Sprint(answer) == fmt.Sprintf("[127.0.0.1 %d]", replica.port)
		})
	}
	return func() {
		old.Restart()
		old.waitUntilReplica()
	}
}

// Kill kills both servers. The replica goes first, so that the Sentinels cannot make it the master.
func (r *Replicated) Kill() {
	r.Servers[1].Kill()
	r.Servers[0].Kill()
}

// Restart starts both servers again. They are empty.
func (r *Replicated) Restart() {
	r.Servers[0].t.Helper()
	r.Servers[0].Restart()
	r.Servers[1].Restart()
}
