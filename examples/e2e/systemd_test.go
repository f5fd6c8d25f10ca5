package e2e_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"novcomet/examples/internal/launch"
)

// units copies units of examples/systemd to a directory. They start /bin/true instead of comet-fcgi, which is
// not installed.
func units(t *testing.T, names ...string) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		text := strings.ReplaceAll(example(t, "systemd", name), "/usr/local/bin/comet-fcgi", "/bin/true")
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func TestUnits_PassSystemdAnalyze(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatal("systemd-analyze is not installed; on Debian: apt install systemd")
	}
	files := units(t, "comet-fcgi.service", "comet-fcgi.socket", "comet-fcgi@.service", "comet-fcgi@.socket")
	// systemd-analyze prints a warning about an unknown setting, but does not fail.
	output, err := exec.Command(analyze, append([]string{"verify", "--man=no"}, files...)...).CombinedOutput()
	if err != nil || len(output) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, output)
	}
}

// Exposure is systemd's measure of what a service may do: from 0, nothing, to 10, everything.
func TestUnits_AreConfined(t *testing.T) {
	unit := units(t, "comet-fcgi.service")[0]
	measure := func(most string) {
		t.Helper()
		cmd := exec.Command("systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold="+most, unit)
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("more exposure than %s tenths: %v\n%s", most, err, output)
		}
	}
	measure("12")
	dropIns := unit + ".d"
	if err := os.Mkdir(dropIns, 0o755); err != nil {
		t.Fatal(err)
	}
	text := example(t, "systemd", "files-only.conf")
	if err := os.WriteFile(filepath.Join(dropIns, "files-only.conf"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	measure("6")
}

func TestUnits_OfSeveralProcessesEqualThoseOfOne(t *testing.T) {
	// settings returns the lines that are not comments. comet-fcgi@.service refers to the other one's comments.
	settings := func(text string) string { return regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(text, "") }
	_, one, _ := strings.Cut(example(t, "systemd", "comet-fcgi.service"), "[Service]")
	_, several, _ := strings.Cut(example(t, "systemd", "comet-fcgi@.service"), "[Service]")
	if settings(strings.Replace(one, "comet-fcgi.socket", "comet-fcgi@%i.socket", 1)) != settings(several) {
		t.Error("comet-fcgi@.service differs from comet-fcgi.service below [Service]")
	}
	_, one, _ = strings.Cut(example(t, "systemd", "comet-fcgi.socket"), "[Socket]")
	_, several, _ = strings.Cut(example(t, "systemd", "comet-fcgi@.socket"), "[Socket]")
	if strings.Replace(one, "comet.sock", "comet-%i.sock", 1) != several {
		t.Error("comet-fcgi@.socket differs from comet-fcgi.socket below [Socket]")
	}
}

func TestTmpfiles_MakeDirectoryForSeveralUsers(t *testing.T) {
	tmpfiles, err := exec.LookPath("systemd-tmpfiles")
	if err != nil {
		t.Fatal("systemd-tmpfiles is not installed; on Debian: apt install systemd")
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	// Only root can give a directory to another user.
	ownUser := strings.NewReplacer(" root www-data ", " - - ", " root novcomet ", " - - ")
	config := ownUser.Replace(example(t, "systemd", "novcomet.conf"))
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

// novcomet.conf has a line that deletes old events as a comment.
func TestTmpfiles_RemoveOldEvents(t *testing.T) {
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
	for line := range strings.Lines(example(t, "systemd", "novcomet.conf")) {
		if setting, commented := strings.CutPrefix(line, "# d "); commented {
			lines = append(lines, "d "+strings.Replace(setting, " root novcomet ", " - - ", 1))
		}
	}
	if len(lines) != 1 {
		t.Fatalf("novcomet.conf has these lines as comments: %q; want one", lines)
	}
	file := filepath.Join(root, "novcomet.conf")
	if err := os.WriteFile(file, []byte(lines[0]), 0o644); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.Command(tmpfiles, "--clean", "--root="+root, file).CombinedOutput(); err != nil {
		t.Fatalf("systemd-tmpfiles: %v\n%s", err, output)
	}
	left, err := filepath.Glob(filepath.Join(events, "*"))
	want := []string{filepath.Join(events, "new.comet"), filepath.Join(events, "recent.comet")}
	if err != nil || !slices.Equal(left, want) {
		t.Errorf("the remaining events are %q, %v; want %q", left, err, want)
	}
}

// The test runs the lines of examples/README.md with the paths of a site whose comet-fcgi is stopped.
func TestInstructions_WithoutSystemdStartDaemon(t *testing.T) {
	_, text, found := strings.Cut(example(t, "README.md"), "**Without systemd**")
	install := regexp.MustCompile(`(?m)^    sudo (install -d .*)$`).FindStringSubmatch(text)
	start := regexp.MustCompile(`(?m)^    sudo -u www-data (comet-fcgi .*)$`).FindStringSubmatch(text)
	boot := regexp.MustCompile(`(?m)^@reboot root (.*)$`).FindStringSubmatch(text)
	if !found || install == nil || start == nil || boot == nil {
		t.Fatal("examples/README.md does not have the three lines")
	}
	for name, line := range map[string]string{
		"by hand": install[1] + "; exec runuser -u www-data -- " + start[1],
		"at boot": boot[1],
	} {
		t.Run(name, func(t *testing.T) {
			site := launchSite(t, launch.Options{Server: launch.Nginx})
			stopDaemon(t, site)
			dir := filepath.Dir(site.Events)
			replacements := []string{
				"/usr/local/bin", dir + "/bin", "/run/novcomet", dir, "/etc/novcomet", dir,
				"logger -t comet-fcgi", "cat",
			}
			if os.Geteuid() != 0 { // Another user cannot become www-data.
				replacements = append(replacements,
					" -g www-data", "", "/usr/sbin/runuser -u www-data -- ", "", "runuser -u www-data -- ", "")
			}
			script := strings.NewReplacer(replacements...).Replace(line)
			output, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer output.Close()
			cmd := exec.Command("/bin/sh", "-c", script)
			cmd.Env = []string{"PATH=" + dir + "/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
			cmd.Stdout, cmd.Stderr = w, w
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			w.Close()
			t.Cleanup(func() {
				syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
				cmd.Wait()
			})
			want := "level=INFO msg=ready socket=unix:" + dir + "/comet.sock"
			output.SetReadDeadline(time.Now().Add(patience))
			lines := bufio.NewScanner(output)
			for lines.Scan() && !strings.HasSuffix(lines.Text(), want) {
				t.Log(lines.Text())
			}
			if !strings.HasSuffix(lines.Text(), want) {
				t.Fatalf("%s: the output does not have %q", script, want)
			}
			publish(t, site, "a")
		})
	}
}

// systemd, an administrator or cron makes the directory. Its owner and mode must be the same.
func TestSocketDirectory_HasOneOwner(t *testing.T) {
	install := regexp.MustCompile(`install -d [^;\n]*/run/novcomet\b[^/]`)
	for _, file := range []string{"systemd/comet-fcgi.socket", "systemd/comet-fcgi@.socket", "README.md"} {
		found := install.FindAllString(example(t, file), -1)
		if len(found) == 0 {
			t.Errorf("%s does not make /run/novcomet", file)
		}
		for _, command := range found {
			if !strings.HasPrefix(command, "install -d -m 775 -g www-data /run/novcomet") {
				t.Errorf("%s makes /run/novcomet by %s", file, command)
			}
		}
	}
	if !strings.Contains(example(t, "systemd", "novcomet.conf"), "\nd /run/novcomet         0775 root www-data -\n") {
		t.Error("novcomet.conf gives /run/novcomet another owner")
	}
}

func TestSocket_OfSystemdIsTheOneOfWebServers(t *testing.T) {
	const socket = "/run/novcomet/comet.sock"
	for _, file := range []string{
		"systemd/comet-fcgi.socket", "nginx/comet-upstream.conf", "apache/comet-proxy.conf", "caddy/comet.caddy",
	} {
		if !strings.Contains(example(t, file), socket) {
			t.Errorf("%s does not use %s", file, socket)
		}
	}
}
