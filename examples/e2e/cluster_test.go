package e2e_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"novcomet/core/servertest"
	"novcomet/examples/internal/launch"
)

// Two machines, by the files of cluster/: a page waits on either, and whoever publishes, it hears of it, also while one machine
// is down.
func TestTwoMachinesWithOneRedisAreAsOne(t *testing.T) {
	t.Parallel()
	redis := servertest.StartRedis(t, servertest.RedisOptions{})
	// Nobody is to hear of anything by looking again.
	site := launchSite(t, launch.Options{Server: launch.Cluster, Redis: redis.Address(), Settings: map[string]string{"tries": "1", "sleep": "60"}})
	_, port, err := net.SplitHostPort(redis.Address())
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join("..", "..", "core", "store", "redis", "publish.lua")
	publishers := map[string]func(){
		"by URL": func() { wantBody(t, within(t, patience, polling(t, site, "publish=news")), "true") },
		"by redis-cli": func() {
			cli, err := exec.LookPath("redis-cli")
			if err != nil {
				t.Fatal("redis-cli is not installed; on Debian: apt install redis-tools")
			}
			output, err := exec.CommandContext(t.Context(), cli, "-p", port, "--eval", script, "novcomet:news").CombinedOutput()
			if err != nil || !regexp.MustCompile(`^(\(integer\) )?\d{16}\n$`).Match(output) {
				t.Errorf("redis-cli: %v, %s", err, output)
			}
		},
		"by comet-fcgi publish": func() { shell(t, site, "../bin/comet-fcgi publish news") },
	}
	wantBody(t, within(t, patience, polling(t, site, "publish=news")), "true")
	last := stampIn(t, redis, "news")
	for name, publish := range publishers {
		var replies []<-chan reply
		for range 10 { // nginx takes the one where the fewest wait
			replies = append(replies, polling(t, site, "subscribed[news]="+last))
		}
		stillWaits(t, replies[0])
		publish()
		last = stampIn(t, redis, "news")
		for _, r := range replies {
			if r := within(t, patience, r); r.status != 200 || !strings.Contains(r.body, `"at":{"news":"`+last+`"}`) {
				t.Errorf("%s: HTTP %d %s; want the stamp %s", name, r.status, r.body, last)
			}
		}
	}

	if err := site.StopDaemon(); err != nil {
		t.Fatal(err)
	}
	for range 4 { // Each of them is tried first at some time.
		poll := polling(t, site, "subscribed[news]="+last)
		stillWaits(t, poll)
		wantBody(t, within(t, patience, polling(t, site, "publish=news")), "true")
		last = stampIn(t, redis, "news")
		if r := within(t, patience, poll); r.status != 200 || !strings.Contains(r.body, `"at":{"news":"`+last+`"}`) {
			t.Errorf("with one machine: HTTP %d %s; want the stamp %s", r.status, r.body, last)
		}
	}
	if err := site.StartDaemon(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantBody(t, within(t, patience, polling(t, site, "publish=news")), "true")
}

// stampIn returns the event's stamp as a cursor.
func stampIn(t *testing.T, redis *servertest.Redis, event string) string {
	t.Helper()
	micros, ok := redis.Do("HGET", "novcomet:"+event, "s").(string)
	if !ok || len(micros) != 16 {
		t.Fatalf("the stamp of %s is %q", event, micros)
	}
	return micros[:10] + "." + micros[10:]
}

func TestTheSocketOfAClustersMachineIsTheOneThatNginxAsks(t *testing.T) {
	servers := regexp.MustCompile(`(?m)^\s*server (\S+)`).FindAllStringSubmatch(shipped(t, "cluster", "comet-cluster.conf"), -1)
	dropIn := shipped(t, "cluster", "comet-fcgi.socket.d", "cluster.conf")
	listens := regexp.MustCompile(`(?m)^ListenStream=(.+)$`).FindStringSubmatch(dropIn)
	if len(servers) != 2 || listens == nil || !slices.ContainsFunc(servers, func(s []string) bool { return s[1] == listens[1] }) {
		t.Errorf("nginx asks %v; systemd listens on %v", servers, listens)
	}

	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatal("systemd-analyze is not installed; on Debian: apt install systemd")
	}
	files := units(t, "comet-fcgi.service", "comet-fcgi.socket")
	beside := files[1] + ".d"
	if err := os.Mkdir(beside, 0o755); err != nil {
		t.Fatal(err)
	}
	// A word that is wrong shows that the file is read at all.
	for text, complains := range map[string]bool{dropIn: false, dropIn + "Nonsense=yes\n": true} {
		if err := os.WriteFile(filepath.Join(beside, "cluster.conf"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		output, err := exec.CommandContext(t.Context(), analyze, append([]string{"verify", "--man=no"}, files...)...).CombinedOutput()
		if err != nil || (len(output) > 0) != complains {
			t.Errorf("systemd-analyze verify: %v\n%s", err, output)
		}
	}
}
