package e2e_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"novcomet/examples/internal/launch"
)

// Two publications with the same stamp are one. Since Linux 6.13, the kernel gives each its own.
func TestPHP_EachPublicationHasALaterStamp(t *testing.T) {
	directory := t.TempDir()
	stamps := strings.Fields(runPHP(t, `$comet = new NovComet(getenv("DIRECTORY"));
		for ($i = 0; $i < 20; $i++) {
			$i % 2 ? $comet->publish("quick") : $comet->publish("quick", $i);
			passthru("stat -c %.6Y " . getenv("DIRECTORY") . "/quick.comet");
		}`, "DIRECTORY="+directory))
	for i := range len(stamps) - 1 {
		if stamps[i] >= stamps[i+1] {
			t.Errorf("after the stamp %s comes %s", stamps[i], stamps[i+1])
		}
	}
	if len(stamps) != 20 {
		t.Errorf("%q, want 20 stamps", stamps)
	}
}

// PHP waits with the lock, and comet-fcgi waits for the lock for a second.
func TestPHP_LeavesLockToOthers(t *testing.T) {
	site := launchSite(t, launch.Options{Server: launch.Nginx, Settings: longPolls})
	poll := sendQuery(t, site, "subscribed[quick]=0.0")
	const code = `require "../publish/novcomet.php"; for (;;) (new NovComet(getenv("EVENTS")))->publish("quick");`
	script := exec.CommandContext(t.Context(), "php", "-r", code)
	script.Env = append(os.Environ(), "EVENTS="+site.Events)
	if err := script.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = script.Wait() }) // It is killed before.
	receive(t, poll)
	publish(t, site, "other")
}

func TestPHP_ReplacesFileOfEvent(t *testing.T) {
	directory := t.TempDir()
	file, left := filepath.Join(directory, "news.comet"), filepath.Join(directory, ".novcomet-news")
	group := os.Getegid()
	if os.Geteuid() == 0 {
		group = 65534
	}
	for _, name := range []string{file, left} {
		if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(file, -1, group); err != nil {
		t.Fatal(err)
	}
	old, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	runPHP(t, `(new NovComet(getenv("DIRECTORY")))->publish("news", "new");`, "DIRECTORY="+directory)

	var stat unix.Stat_t
	if err := unix.Lstat(file, &stat); err != nil || stat.Mode&0o7777 != 0o600 || int(stat.Gid) != group {
		t.Errorf("%v, mode %o, group %d; want those of the old file, 600 and %d", err, stat.Mode, stat.Gid, group)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != `"new"` {
		t.Errorf("the file has %s, %v", text, err)
	}
	if text, err := io.ReadAll(old); err != nil || string(text) != "old" {
		t.Errorf("a program that has opened the old file reads %q, %v; want it unchanged", text, err)
	}
	if files, err := os.ReadDir(directory); err != nil || len(files) != 1 {
		t.Errorf("the directory has %v, %v; want only the event", files, err)
	}
}

func TestPHP_KeepsFilesThatItCannotPublish(t *testing.T) {
	directory := t.TempDir()
	for _, name := range []string{"full.comet/x", "link.comet"} {
		if err := os.MkdirAll(filepath.Join(directory, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("elsewhere", filepath.Join(directory, "link.comet")); err != nil {
		t.Fatal(err)
	}
	locked, err := os.Open(directory)
	if err != nil {
		t.Fatal(err)
	}
	defer locked.Close()
	for _, step := range []struct{ code, message string }{
		{`$comet->publish("full", 1);`, "full.comet is not a regular file: remove it"},
		{`$comet->publish("link");`, "link.comet is not a regular file: remove it"},
		{`$comet->publish("../x", 1);`, `the id "../x" is not allowed`},
		{`$comet->publish("a\nb");`, `the id "a\nb" is not allowed`},
		{`$comet->publish(str_repeat("é", 101));`, "use 1 to 200 bytes of UTF-8"},
		{`$comet->publish("big", str_repeat("x", 65535));`, "65537 bytes of JSON, at most 65536 are allowed"},
		{`$comet->publish("latin", "\xe9");`, `the data of "latin" cannot be JSON: Malformed UTF-8`},
		{`$d = 1; for ($i = 0; $i < 101; $i++) $d = [$d]; $comet->publish("deep", $d);`, "at most 100 levels"},
		{`(new NovComet("/none"))->publish("x");`, "file.directory in comet.yaml"},
		{`new NovComet("example.com/comet.php");`, "or the URL of comet.php"},
		{`$comet->publish("x", 1);`, "another program has locked " + directory + " for 0.1 s"},
	} {
		if strings.Contains(step.message, "locked") {
			if err := unix.Flock(int(locked.Fd()), unix.LOCK_EX); err != nil {
				t.Fatal(err)
			}
		}
		code := `$comet = new NovComet(getenv("DIRECTORY")); $comet->timeout = 0.1; ` + step.code
		got := failingPHP(t, code, "DIRECTORY="+directory)
		if !strings.HasPrefix(got, "0: ") || !strings.Contains(got, step.message) {
			t.Errorf("%s: %s; want %s", step.code, got, step.message)
		}
	}
	if files, err := os.ReadDir(directory); err != nil || len(files) != 2 {
		t.Errorf("the directory has %v, %v; want only the two that were there", files, err)
	}
}

// strace makes system calls fail.
func TestPHP_RemovesFileThatItCannotRename(t *testing.T) {
	for name, step := range map[string]struct {
		inject []string
		left   string
	}{
		"The directory is empty.":                         {[]string{"rename"}, ""},
		"If that fails, only the user can read the file.": {[]string{"rename", "chmod", "unlink"}, "-rw------- .novcomet-x"},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			command := []string{"strace", "-qq", "-o", os.DevNull}
			for _, call := range step.inject {
				command = append(command, "-e", "inject="+call+":error=EPERM")
			}
			code := `umask(0); try { (new NovComet(getenv("DIRECTORY")))->publish("x", 1); }
				catch (RuntimeException $e) { echo $e->getMessage(); }`
			got := runPHPBy(t, command, code, "DIRECTORY="+directory)
			if !strings.Contains(got, "Operation not permitted") {
				t.Errorf("%s; want Operation not permitted", got)
			}
			var left []string
			files, err := os.ReadDir(directory)
			for _, file := range files {
				info, _ := file.Info()
				left = append(left, info.Mode().String()+" "+info.Name())
			}
			if text := strings.Join(left, ", "); err != nil || text != step.left {
				t.Errorf("the directory has %q, %v; want %q", text, err, step.left)
			}
		})
	}
}

func TestPHP_KeepsUmaskAndErrorHandlerOfProgram(t *testing.T) {
	directory := t.TempDir()
	got := runPHP(t, `umask(0027);
		set_error_handler(function (int $level, string $message) { echo "handler: $message"; return true; });
		(new NovComet(getenv("DIRECTORY")))->publish("new");
		(new NovComet(getenv("DIRECTORY")))->publish("new", 1);
		printf("%o ", umask());
		trigger_error("a warning");`, "DIRECTORY="+directory)
	if got != "27 handler: a warning" {
		t.Errorf("%q; want the umask and the handler of the program", got)
	}
}

func TestPHP_CreatesFileThatGroupCanWrite(t *testing.T) {
	directory := t.TempDir()
	runPHP(t, `umask(0077); (new NovComet(getenv("DIRECTORY")))->publish("new");`, "DIRECTORY="+directory)
	if info, err := os.Stat(filepath.Join(directory, "new.comet")); err != nil || info.Mode() != 0o664 {
		t.Errorf("%v, %v; want the mode 0664", info, err)
	}
}
