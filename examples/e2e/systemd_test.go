package e2e_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"novcomet/examples/internal/launch"
)

// units are the files of systemd/ with these names, with the binary at a place where there is one.
func units(t *testing.T, names ...string) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		text := strings.ReplaceAll(shipped(t, "systemd", name), "/usr/local/bin/comet-fcgi", "/bin/true")
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func shipped(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", filepath.Join(path...)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestUnitsPassSystemdsOwnCheck(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatal("systemd-analyze is not installed; on Debian: apt install systemd")
	}
	files := units(t, "comet-fcgi.service", "comet-fcgi.socket", "comet-fcgi@.service", "comet-fcgi@.socket")
	// It warns of unknown settings without failing, so that any word counts.
	output, err := exec.Command(analyze, append([]string{"verify", "--man=no"}, files...)...).CombinedOutput()
	if err != nil || len(output) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, output)
	}
}

// What is changed in one of them is not to be forgotten in the other.
func TestTheUnitsOfSeveralProcessesAreThoseOfOne(t *testing.T) {
	_, one, _ := strings.Cut(shipped(t, "systemd", "comet-fcgi.service"), "[Service]")
	_, several, _ := strings.Cut(shipped(t, "systemd", "comet-fcgi@.service"), "[Service]")
	if strings.Replace(one, "comet-fcgi.socket", "comet-fcgi@%i.socket", 1) != several {
		t.Error("comet-fcgi@.service differs from comet-fcgi.service below [Service]")
	}
	_, one, _ = strings.Cut(shipped(t, "systemd", "comet-fcgi.socket"), "[Socket]")
	_, several, _ = strings.Cut(shipped(t, "systemd", "comet-fcgi@.socket"), "[Socket]")
	if strings.Replace(one, "comet.sock", "comet-%i.sock", 1) != several {
		t.Error("comet-fcgi@.socket differs from comet-fcgi.socket below [Socket]")
	}
}

func TestTmpfilesMakeADirectoryForSeveralUsers(t *testing.T) {
	tmpfiles, err := exec.LookPath("systemd-tmpfiles")
	if err != nil {
		t.Fatal("systemd-tmpfiles is not installed; on Debian: apt install systemd")
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	// The names are this user's numbers here, for anybody else's would need root.
	config := strings.NewReplacer(" root www-data ", " - - ", " root novcomet ", " - - ").Replace(shipped(t, "systemd", "novcomet.conf"))
	file := filepath.Join(root, "novcomet.conf")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.Command(tmpfiles, "--create", "--root="+root, file).CombinedOutput(); err != nil {
		t.Fatalf("systemd-tmpfiles: %v\n%s", err, output)
	}
	events, err := os.Stat(filepath.Join(root, "run/novcomet/events"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := events.Mode(), os.ModeDir|os.ModeSetgid|0o775; got != want {
		t.Errorf("the directory's mode is %v, want %v", got, want)
	}
}

// The line that is a comment in the shipped file, put in the place of the one above it.
func TestTmpfilesRemoveOldEvents(t *testing.T) {
	tmpfiles, err := exec.LookPath("systemd-tmpfiles")
	if err != nil {
		t.Fatal("systemd-tmpfiles is not installed; on Debian: apt install systemd")
	}
	root := t.TempDir()
	events := filepath.Join(root, "run/novcomet/events")
	for _, directory := range []string{events, filepath.Join(root, "etc")} {
		if err := os.MkdirAll(directory, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	day := 24 * time.Hour
	for name, age := range map[string]time.Duration{"old.comet": 31 * day, "recent.comet": 29 * day, "new.comet": 0} {
		path := filepath.Join(events, name)
		if err := os.WriteFile(path, nil, 0o664); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	for line := range strings.Lines(shipped(t, "systemd", "novcomet.conf")) {
		if setting, commented := strings.CutPrefix(line, "# d "); commented {
			lines = append(lines, "d "+strings.Replace(setting, " root novcomet ", " - - ", 1))
		}
	}
	if len(lines) != 1 {
		t.Fatalf("the shipped file has these lines to choose: %q", lines)
	}
	file := filepath.Join(root, "novcomet.conf")
	if err := os.WriteFile(file, []byte(lines[0]), 0o644); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.Command(tmpfiles, "--clean", "--root="+root, file).CombinedOutput(); err != nil {
		t.Fatalf("systemd-tmpfiles: %v\n%s", err, output)
	}
	left, err := filepath.Glob(filepath.Join(events, "*"))
	if err != nil || len(left) != 2 || filepath.Base(left[0]) != "new.comet" || filepath.Base(left[1]) != "recent.comet" {
		t.Errorf("left over: %q, %v", left, err)
	}
}

// The lines of the instructions, and that of /etc/cron.d/novcomet, with the paths of a site whose own comet-fcgi is stopped.
func TestTheInstructionsWithoutSystemdStartCometFcgi(t *testing.T) {
	_, text, found := strings.Cut(shipped(t, "README.md"), "**Without systemd**")
	install := regexp.MustCompile(`(?m)^    sudo (install -d .*)$`).FindStringSubmatch(text)
	start := regexp.MustCompile(`(?m)^    sudo -u www-data (comet-fcgi .*)$`).FindStringSubmatch(text)
	boot := regexp.MustCompile(`(?m)^@reboot root (.*)$`).FindStringSubmatch(text)
	if !found || install == nil || start == nil || boot == nil {
		t.Fatal("README.md does not have the three lines")
	}
	for name, line := range map[string]string{
		"by hand": install[1] + "; exec runuser -u www-data -- " + start[1],
		"at boot": boot[1],
	} {
		t.Run(name, func(t *testing.T) {
			site := launchSite(t, launch.Options{Server: launch.Nginx})
			if err := site.StopDaemon(); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Dir(site.Events)
			here := []string{"/usr/local/bin", dir + "/bin", "/run/novcomet", dir, "/etc/novcomet", dir, "logger -t comet-fcgi", "cat"}
			if os.Geteuid() != 0 { // Then comet-fcgi runs as this user already.
				here = append(here, " -g www-data", "", "/usr/sbin/runuser -u www-data -- ", "", "runuser -u www-data -- ", "")
			}
			script := strings.NewReplacer(here...).Replace(line)
			read, said, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer read.Close()
			cmd := exec.Command("/bin/sh", "-c", script)
			cmd.Env = []string{"PATH=" + dir + "/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
			cmd.Stdout, cmd.Stderr = said, said
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			said.Close()
			t.Cleanup(func() {
				syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
				cmd.Wait()
			})
			want := "level=INFO msg=ready socket=unix:" + dir + "/comet.sock"
			read.SetReadDeadline(time.Now().Add(patience))
			lines := bufio.NewScanner(read)
			for lines.Scan() && !strings.HasSuffix(lines.Text(), want) {
				t.Log(lines.Text())
			}
			if !strings.HasSuffix(lines.Text(), want) {
				t.Fatalf("%s: it does not say %q", script, want)
			}
			wantBody(t, within(t, patience, polling(t, site, "publish=a")), "true")
		})
	}
}

// systemd, an administrator and cron make the directory with the same owner and mode, whichever is first.
func TestTheDirectoryOfTheSocketHasOneOwner(t *testing.T) {
	makes := regexp.MustCompile(`install -d [^;\n]*/run/novcomet\b[^/]`)
	for _, file := range [][]string{{"systemd", "comet-fcgi.socket"}, {"systemd", "comet-fcgi@.socket"}, {"README.md"}} {
		found := makes.FindAllString(shipped(t, file...), -1)
		if len(found) == 0 {
			t.Errorf("%v does not make it", file)
		}
		for _, command := range found {
			if !strings.HasPrefix(command, "install -d -m 775 -g www-data /run/novcomet") {
				t.Errorf("%v makes it by %s", file, command)
			}
		}
	}
	if !strings.Contains(shipped(t, "systemd", "novcomet.conf"), "\nd /run/novcomet         0775 root www-data -\n") {
		t.Error("novcomet.conf gives it another owner")
	}
}

func TestTheWebServersConnectToSystemdsSocket(t *testing.T) {
	const socket = "/run/novcomet/comet.sock"
	for _, file := range [][]string{
		{"systemd", "comet-fcgi.socket"}, {"nginx", "comet.conf"}, {"apache", "comet-proxy.conf"}, {"caddy", "comet.caddy"},
	} {
		if !strings.Contains(shipped(t, file...), socket) {
			t.Errorf("%v does not use %s", file, socket)
		}
	}
}
