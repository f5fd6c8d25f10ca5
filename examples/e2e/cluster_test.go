package e2e_test

import (
	"cmp"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"novcomet/core/servertest"
	"novcomet/examples/internal/launch"
)

// A page waits on either of two machines. It gets every publication, also while one of the machines is down.
func TestCluster_DeliversFromEveryPublisherToEveryMachine(t *testing.T) {
	t.Parallel()
	redis := servertest.StartRedis(t, servertest.RedisOptions{})
	site := launchSite(t, launch.Options{
		Server: launch.Cluster, Redis: redis.Address(),
		// No check of the store finds a publication.
		Settings: map[string]string{"tries": "1", "sleep": "60", "store_timeout": "30"},
	})
	_, port, err := net.SplitHostPort(redis.Address())
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join("..", "..", "core", "store", "redis", "publish.lua")
	publishers := map[string]func(){
		"by URL": func() { publish(t, site, "news") },
		"by redis-cli": func() {
			cli, err := exec.LookPath("redis-cli")
			if err != nil {
				t.Fatal("redis-cli is not installed; on Debian: apt install redis-tools")
			}
			cmd := exec.CommandContext(t.Context(), cli, "-p", port, "--eval", script, "novcomet:news")
			output, err := cmd.CombinedOutput()
			if err != nil || !regexp.MustCompile(`^(\(integer\) )?\d{16}\n$`).Match(output) {
				t.Errorf("redis-cli: %v, %s", err, output)
			}
		},
		"by comet-fcgi publish": func() { shell(t, site, "../bin/comet-fcgi publish news") },
	}
	publish(t, site, "news")
	last := stampIn(t, redis, "news")
	for name, publishOnce := range publishers {
		var polls []<-chan answer
		for range 10 { // nginx chooses the machine with the fewest waiting browsers.
			polls = append(polls, sendQuery(t, site, "subscribed[news]="+last))
		}
		wantWaiting(t, polls[0])
		publishOnce()
		last = stampIn(t, redis, "news")
		for _, poll := range polls {
			if r := receive(t, poll); r.status != 200 || !strings.Contains(r.body, `"at":{"news":"`+last+`"}`) {
				t.Errorf("%s: HTTP %d %s; want the stamp %s", name, r.status, r.body, last)
			}
		}
	}

	stopDaemon(t, site)
	for range 4 { // nginx sends some of the polls to the stopped machine first.
		poll := sendQuery(t, site, "subscribed[news]="+last)
		wantWaiting(t, poll)
		publish(t, site, "news")
		last = stampIn(t, redis, "news")
		if r := receive(t, poll); r.status != 200 || !strings.Contains(r.body, `"at":{"news":"`+last+`"}`) {
			t.Errorf("with one machine: HTTP %d %s; want the stamp %s", r.status, r.body, last)
		}
	}
	startDaemon(t, site)
	publish(t, site, "news")
}

// nginx connects to a machine without power as to a port whose backlog is full: nothing answers.
func TestCluster_PassesOverMachineThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	redis := servertest.StartRedis(t, servertest.RedisOptions{})
	site := launchSite(t, launch.Options{
		Server: launch.Cluster, Redis: redis.Address(), Settings: map[string]string{"store_timeout": "30"},
	})
	machine := netip.MustParseAddrPort(site.Socket())
	stopDaemon(t, site)
	silent, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(silent)
	address := &unix.SockaddrInet4{Port: int(machine.Port()), Addr: machine.Addr().As4()}
	reuse := unix.SetsockoptInt(silent, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err := cmp.Or(reuse, unix.Bind(silent, address), unix.Listen(silent, 0)); err != nil {
		t.Fatal(err)
	}
	only, err := net.Dial("tcp", site.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer only.Close()
	slow := 0
	for range 4 { // nginx chooses the silent machine for some of them.
		a := do(t, newRequest(t, http.MethodPost, site.URL+"/comet.php", "publish=news"))
		wantBody(t, a, "true")
		if a.took > time.Second/2 {
			slow++
		}
	}
	if slow == 0 {
		t.Error("nginx did not try the silent machine")
	}
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

// nginx uses the socket file until it is reloaded, and later for other locations, such as the metrics.
func TestCluster_KeepsSocketFile(t *testing.T) {
	dropIn := example(t, "cluster", "comet-fcgi.socket.d", "cluster.conf")
	if regexp.MustCompile(`(?m)^ListenStream=$`).MatchString(dropIn) { // It removes the sockets of the unit.
		t.Error("cluster.conf removes the socket file")
	}
}

func TestCluster_SocketHasAddressOfNginxConfiguration(t *testing.T) {
	config := example(t, "cluster", "comet-cluster.conf")
	servers := regexp.MustCompile(`(?m)^\s*server (\S+)`).FindAllStringSubmatch(config, -1)
	dropIn := example(t, "cluster", "comet-fcgi.socket.d", "cluster.conf")
	listens := regexp.MustCompile(`(?m)^ListenStream=(.+)$`).FindStringSubmatch(dropIn)
	listensOn := func(server []string) bool { return listens != nil && server[1] == listens[1] }
	if len(servers) != 2 || !slices.ContainsFunc(servers, listensOn) {
		t.Errorf("nginx connects to %v; systemd listens on %v", servers, listens)
	}

	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatal("systemd-analyze is not installed; on Debian: apt install systemd")
	}
	files := units(t, "comet-fcgi.service", "comet-fcgi.socket")
	directory := files[1] + ".d"
	if err := os.Mkdir(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	// The warning about an unknown setting shows that systemd reads the file.
	for text, warns := range map[string]bool{dropIn: false, dropIn + "Nonsense=yes\n": true} {
		if err := os.WriteFile(filepath.Join(directory, "cluster.conf"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		arguments := append([]string{"verify", "--man=no"}, files...)
		output, err := exec.CommandContext(t.Context(), analyze, arguments...).CombinedOutput()
		if err != nil || (len(output) > 0) != warns {
			t.Errorf("systemd-analyze verify: %v\n%s", err, output)
		}
	}
}
