package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"

	"novcomet/examples/internal/launch"
)

func TestPublishScripts_DeliverTheirData(t *testing.T) {
	site := launchSite(t, launch.Options{Server: launch.Nginx})
	for _, script := range []struct {
		program string
		args    []string
		event   string
		data    string // a part of the answer
		fails   bool
	}{
		{
			"sh", []string{"../publish/build.sh", "true"}, "build",
			`"d":{"build":{"state":"green","at":"`, false,
		}, {
			"sh", []string{"../publish/build.sh", "false"}, "build",
			`"d":{"build":{"state":"red","at":"`, true,
		}, {
			"php", []string{"../publish/order.php", "4711", "19.90"}, "orders",
			`"d":{"orders":{"number":4711,"sum":19.9}}`, false,
		}, {
			"python3", []string{"../publish/sensor.py", site.URL + "/comet.php", "21.5"}, "sensor",
			`"d":{"sensor":{"celsius":21.5}}`, false,
		},
	} {
		t.Run(filepath.Base(script.args[0]), func(t *testing.T) {
			if _, err := exec.LookPath(script.program); err != nil {
				t.Fatal(err)
			}
			before := stampOf(t, site, script.event)
			if before == "" {
				before = "0.000000"
			}
			poll := sendQuery(t, site, "subscribed["+script.event+"]="+before+"&data=1")
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, script.program, script.args...)
			cmd.Env = append(os.Environ(), "COMET_FILE_DIRECTORY="+site.Events)
			if output, err := cmd.CombinedOutput(); err != nil != script.fails || len(output) > 0 {
				t.Fatalf("%v: %s", err, output)
			}
			if r := receive(t, poll); !strings.Contains(r.body, script.data) {
				t.Errorf("a page gets %s, want %s", r.body, script.data)
			}
		})
	}
}

// A rename keeps the time of the write. Pages of comet.php may already have an answer about that second. The
// PHP class touches the file only if that can be so; strace delays its rename.
func TestPublishScripts_TouchFileAfterRename(t *testing.T) {
	const slowly = "-qq -o /dev/null -e inject=rename:delay_enter=100000"
	for _, script := range []struct{ program, arguments, event string }{
		{"sh", "../publish/build.sh true", "build.comet"},
		{"strace", slowly + " php ../publish/order.php 4711 19.90", "orders.comet"},
	} {
		t.Run(script.program, func(t *testing.T) {
			if _, err := exec.LookPath(script.program); err != nil {
				t.Fatal(err)
			}
			directory := t.TempDir()
			path := filepath.Join(directory, script.event)
			watcher, err := fsnotify.NewWatcher()
			if err != nil {
				t.Fatal(err)
			}
			defer watcher.Close()
			if err := watcher.Add(directory); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), script.program, strings.Fields(script.arguments)...)
			cmd.Env = append(os.Environ(), "COMET_FILE_DIRECTORY="+directory)
			if output, err := cmd.CombinedOutput(); err != nil || len(output) > 0 {
				t.Fatalf("%v: %s", err, output)
			}
			end := filepath.Join(directory, "end")
			touch(t, end)
			var changes []fsnotify.Op
			for event := range watcher.Events {
				if event.Name == end {
					break
				}
				if event.Name == path {
					changes = append(changes, event.Op)
				}
			}
			if len(changes) != 2 || !changes[0].Has(fsnotify.Create) || !changes[1].Has(fsnotify.Chmod) {
				t.Errorf("changes of the event's file: %v; want Create, and then Chmod", changes)
			}
			var stat unix.Stat_t
			if err := unix.Lstat(path, &stat); err != nil {
				t.Fatal(err)
			}
			if stat.Mtim != stat.Ctim {
				t.Errorf("the file was touched at %v, but changed again at %v", stat.Mtim, stat.Ctim)
			}
			if stat.Mode&0o7777 != 0o664 {
				t.Errorf("the mode is %o; want 664", stat.Mode&0o7777)
			}
			if files, err := os.ReadDir(directory); err != nil || len(files) != 2 {
				t.Errorf("the directory has %v, %v; want only the event and the file end", files, err)
			}
		})
	}
}
