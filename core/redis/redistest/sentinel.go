package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Replicated are two servers, of which the second one replicates the first one, and three Sentinels that watch over them.
type Replicated struct {
	// Servers are the first master and its replica.
	Servers [2]*Server
	// Sentinels are the addresses of the Sentinels.
	Sentinels []string

	sentinels []*Server
}

// Master is what the Sentinels call the master.
const Master = "comet"

// StartReplicated starts them. master and replica are not started yet.
func StartReplicated(t testing.TB, master, replica *Server) *Replicated {
	t.Helper()
	r := &Replicated{Servers: [2]*Server{master, replica}}
	master.Start(t)
	replica.Arguments = append(replica.Arguments, "--replicaof", "127.0.0.1", fmt.Sprint(master.port))
	replica.Start(t)
	replica.waitFor("the replica has the master's data", func() bool { return replica.Info("master_link_status") == "up" })
	for range 3 {
		sentinel := &Server{t: t, port: freePort(t), directory: t.TempDir()}
		t.Cleanup(sentinel.Kill)
		file := filepath.Join(sentinel.directory, "sentinel.conf")
		content := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor %s 127.0.0.1 %d 2\n", sentinel.port, sentinel.directory, Master, master.port)
		content += fmt.Sprintf("sentinel down-after-milliseconds %s 1000\nsentinel failover-timeout %s 5000\n", Master, Master)
		if master.Password != "" {
			content += fmt.Sprintf("sentinel auth-pass %s %s\n", Master, master.Password)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		sentinel.start([]string{file, "--sentinel"})
		r.sentinels = append(r.sentinels, sentinel)
		r.Sentinels = append(r.Sentinels, sentinel.Address())
	}
	for _, sentinel := range r.sentinels {
		sentinel.waitFor("the Sentinels know each other and the replica", func() bool {
			answer, err := sentinel.do("SENTINEL", "MASTER", Master)
			text := fmt.Sprint(answer)
			return err == nil && strings.Contains(text, "num-slaves 1 num-other-sentinels 2")
		})
	}
	return r
}

// Failover kills the master and returns when the Sentinels have made the replica the master. It works once.
func (r *Replicated) Failover() {
	replica := r.Servers[1]
	replica.t.Helper()
	r.Servers[0].Kill()
	replica.waitFor("the replica is the master", func() bool { return replica.Info("role") == "master" })
	for _, sentinel := range r.sentinels {
		sentinel.waitFor("the Sentinels say so", func() bool {
			answer, err := sentinel.do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", Master)
			return err == nil && fmt.Sprint(answer) == fmt.Sprintf("[127.0.0.1 %d]", replica.port)
		})
	}
}

// Kill kills both servers, so that there is nothing that the Sentinels could do.
func (r *Replicated) Kill() {
	r.Servers[1].Kill()
	r.Servers[0].Kill()
}

// Restart starts both servers again, empty.
func (r *Replicated) Restart() {
	r.Servers[0].t.Helper()
	r.Servers[0].Restart()
	r.Servers[1].Restart()
}
