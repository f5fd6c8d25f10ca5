package e2e_test

import (
	"strings"
	"testing"

	"novcomet/examples/internal/launch"
)

// The units take away rights that comet-fcgi does not need. This test shows that it has those that it needs,
// and that systemd does not give it up.
func TestUnits_AllowWhatTheProgramDoes(t *testing.T) {
	t.Parallel()
	root, err := launch.Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := boot(t, root, "")
	m.installPackage(t, root, "0.0.1")
	m.must(t, `sed -i '/server_name _;/a include snippets/comet.conf;' /etc/nginx/sites-available/default
		systemctl start nginx memcached redis-server
		mkdir /etc/systemd/system/comet-fcgi.service.d
		printf '[Service]\nLimitNOFILE=1024:19000\n' >/etc/systemd/system/comet-fcgi.service.d/limit.conf
		groupadd --system novcomet && useradd ann && usermod -aG novcomet ann && usermod -aG novcomet www-data`)
	m.must(t, "cp "+root+"/examples/systemd/novcomet.conf /etc/tmpfiles.d && systemd-tmpfiles --create novcomet.conf")
	restart := func(yaml string) {
		t.Helper()
		m.must(t, `printf 'publish: {allow: "*"}\n`+yaml+`\n' >/etc/novcomet/comet.yaml
			systemctl daemon-reload && systemctl restart comet-fcgi`)
	}
	const publish = `curl -sS 'http://localhost/comet.php?publish=`
	testFiles := func(t *testing.T) {
		restart("file: {directory: /run/novcomet/events}")
		m.want(t, publish+`a'; `+publish+`b' -H 'Content-Type: text/plain' -d 1`, "truetrue")
		m.must(t, `cd /run/novcomet/events
			runuser -u ann -- sh -c 'umask 002; touch a.comet; echo 2 >b.comet; echo 2 >c.comet'`)
		m.want(t, publish+`c'; `+publish+`c' -H 'Content-Type: text/plain' -d 3`, "truetrue")
		m.want(t, "cat /run/novcomet/events/[bc].comet", "2\n3")
		m.must(t, "rm /run/novcomet/events/*")
		m.want(t, "systemctl reload comet-fcgi && systemctl is-active comet-fcgi", "active")
	}
	t.Run("share files with a group", testFiles)
	t.Run("raise the limit of open files", func(t *testing.T) {
		limit := m.must(t, "grep 'open files' /proc/$(systemctl show -P MainPID comet-fcgi)/limits")
		if soft := strings.Fields(limit)[3]; soft == "1024" {
			t.Error(limit)
		}
	})
	t.Run("connect to memcached", func(t *testing.T) {
		restart(`store: memcached\nstore_timeout: 30s`)
		m.want(t, publish+`a'`, "true")
	})
	t.Run("connect to Redis", func(t *testing.T) {
		restart(`store: redis\nstore_timeout: 30s`)
		m.want(t, publish+`a'`, "true")
	})
	t.Run("start again until the directory of the events is there", func(t *testing.T) {
		restart("file: {directory: /run/novcomet/events}")
		// By default systemd gives up after five attempts in half a second.
		m.must(t, `mv /run/novcomet/events /run/novcomet/away
			! systemctl restart comet-fcgi
			timeout 120 sh -c 'until [ $(systemctl show -P NRestarts comet-fcgi) -gt 6 ]; do sleep 0.2; done'
			mv /run/novcomet/away /run/novcomet/events`)
		m.want(t, publish+`a'`, "true")
	})
	m.must(t, "cp "+root+"/examples/systemd/files-only.conf /etc/systemd/system/comet-fcgi.service.d")
	t.Run("share files without a network", testFiles)
	t.Run("not connect to Redis without a network", func(t *testing.T) {
		restart("store: redis")
		m.want(t, publish+`a'`, "false")
	})
}
