package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"novcomet/examples/internal/launch"
)

// makeRelease makes the packages of this machine's architecture in a new directory.
func makeRelease(t *testing.T, root string, flags ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.Command("go", append([]string{"run", ".", "--arch", runtime.GOARCH, "--output", dir}, flags...)...)
	cmd.Dir = filepath.Join(root, "examples", "package")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return dir
}

// installPackage copies the Debian package of a version into the machine, and installs it.
func (m *machine) installPackage(t *testing.T, root, version string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(makeRelease(t, root, "--version", version), "*.deb"))
	if err != nil || len(found) != 1 {
		t.Fatalf("packages: %q, %v", found, err)
	}
	data, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	script := "cat >/tmp/novcomet.deb && DEBIAN_FRONTEND=noninteractive apt-get install -qy /tmp/novcomet.deb"
	if output, err := m.root(script, string(data)); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
}

const (
	aPoll    = `curl -sSg 'http://localhost/comet.php?subscribed[news]=now&wait=0'`
	noChange = `{"s":0,"at":{"news":"0.000000"}}`

	// The files of the system that a package can leave behind. Apache keeps empty directories.
	allFiles = `{ find /etc /usr /var/lib/systemd /run/novcomet /dev/shm 2>/dev/null || true
		find /var/lib/apache2 -type f; } | sort`
)

func TestPackage_InstallsUpgradesAndPurges(t *testing.T) {
	t.Parallel()
	root, err := launch.Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := boot(t, root, "")
	m.must(t, "a2enmod -q cgid && a2dissite -q 000-default")
	m.must(t, allFiles+" >/tmp/before")

	m.installPackage(t, root, "0.0.1")
	m.want(t, "systemctl is-active comet-fcgi.socket; systemctl is-active comet-fcgi || true", "active\ninactive")
	t.Run("comet.cgi has no URL until the administrator enables it", func(t *testing.T) {
		status := func(want string) {
			t.Helper()
			const query = "?subscribed[a]=now&wait=0"
			for path, want := range map[string]string{
				"/comet.php": want, "/cgi-bin/comet.cgi": "404", "/novcomet/comet.cgi": "404",
			} {
				m.want(t, "curl -sSg -o /dev/null -w '%{http_code}' 'http://localhost"+path+query+"'", want)
			}
		}
		m.must(t, "systemctl start apache2")
		status("404")
		m.must(t, "a2enconf -q comet-cgi && systemctl restart apache2")
		status("200")
		m.must(t, "systemctl stop apache2")
	})
	m.must(t, `sed -i '/server_name _;/a include snippets/comet.conf;' /etc/nginx/sites-available/default
		nginx -qt && systemctl restart nginx`)
	m.want(t, aPoll, noChange)
	m.want(t, `tr '\0' ' ' </proc/$(systemctl show -P MainPID comet-fcgi)/cmdline`,
		"/usr/bin/comet-fcgi --config /etc/novcomet/comet.yaml")
	m.want(t, `curl -sS 'http://localhost/comet.php?publish=news'`,
		`{"error":"publishing \"news\" is not allowed"}`)
	m.want(t, `echo '{"a":1}' | runuser -u www-data -- comet-fcgi publish news --data - &
		curl -sSg 'http://localhost/comet.php?subscribed[news]=0.0&data=1' | sed -E 's/[0-9]+\.[0-9]{6}/T/g'; wait`,
		`{"s":1,"k":{"news":T},"d":{"news":{"a":1}},"at":{"news":"T"}}`)

	m.must(t, `rm /dev/shm/news.comet; echo 'sleep: 1' >>/etc/novcomet/comet.yaml`)
	for _, wait := range []int{0, 0, 1, 1, 5} {
		m.must(t, fmt.Sprintf(`setsid bash -c 'while [ ! -e /tmp/end ]; do
			answer=$(curl -fsSg "http://localhost/comet.php?subscribed[news]=now&wait=%d" 2>>/tmp/failures)
			echo "$answer" >>/tmp/answers
		done' </dev/null &>/dev/null &`, wait))
	}
	answers := func() {
		t.Helper()
		m.must(t, ": >/tmp/answers")
		eventually(t, func() error {
			if len(strings.Fields(m.must(t, "cat /tmp/answers"))) < 50 {
				return errors.New("fewer than 50 answers")
			}
			return nil
		})
	}
	answers()
	m.installPackage(t, root, "0.0.2")
	answers()
	m.want(t, "touch /tmp/end; cat /tmp/failures", "")
	m.want(t, "sort -u /tmp/answers", noChange)
	m.want(t, "comet-fcgi --version | cut -d' ' -f2", "0.0.2")
	m.want(t, "cmp /usr/bin/comet-fcgi /proc/$(systemctl show -P MainPID comet-fcgi)/exe", "")
	m.want(t, "tail -n 1 /etc/novcomet/comet.yaml", "sleep: 1")

	m.must(t, `systemctl enable -q --now comet-fcgi@1.socket comet-fcgi@2.socket
		mkdir /dev/shm/a.comet; touch /dev/shm/b.comet`)
	m.want(t, "apt-get purge -qy novcomet 2>&1 | grep -o 'novcomet: nginx.*' | tr -d '\\r'",
		"novcomet: nginx still includes snippets/comet.conf: remove the line from /etc/nginx/sites-enabled/default")
	m.want(t, "dpkg-query -W -f '${Status}' novcomet 2>&1 || true; rmdir /dev/shm/a.comet",
		"dpkg-query: no packages found matching novcomet")
	m.want(t, "systemctl list-units --all --no-legend 'comet*'", "")
	m.want(t, allFiles+" | comm -3 /tmp/before -", "")
}
