package e2e_test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// browser is a running browser. Its pages share a profile, but private ones do not.
type browser interface {
	// open opens an empty page in a window of its own. A private page and its tabs have a profile of their own.
	open(t *testing.T, private bool) pageDriver
}

// pageDriver controls a page of a browser.
type pageDriver interface {
	tab(t *testing.T) pageDriver // opens an empty page in front of this one, in the same window and profile
	navigate(url string) error
	evaluate(script string) (string, error) // returns the string that the script's promise gives
	runFirst(script string) error           // runs a script before any other script of each page; not in WebKit
	screenshot() ([]byte, error)            // not in WebKit
	close() error
}

// engine is a kind of browser.
type engine struct {
	name  string
	start func(*testing.T) browser
}

var (
	chromium = engine{"Chromium", startBrowser}
	firefox  = engine{"Firefox", func(t *testing.T) browser { return startFirefox(t) }}
	webKit   = engine{"WebKit", startWebKit}
)

// object is a JSON object.
type object = map[string]any

// forEachBrowser runs a test with a new browser of each kind, in parallel.
func forEachBrowser(t *testing.T, test func(*testing.T, browser), engines ...engine) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			test(t, e.start(t))
		})
	}
}

// startProgram starts a program of a Debian package in the directory home. The program and all processes that
// it has started end before the test does.
func startProgram(t *testing.T, pkg, home string, environ []string, argv ...string) {
	t.Helper()
	path, err := exec.LookPath(argv[0])
	if err != nil {
		t.Fatalf("%s is not installed; on Debian: apt install %s", argv[0], pkg)
	}
	var output bytes.Buffer
	cmd := exec.Command(path, argv[1:]...)
	cmd.Dir = home
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.Env = append([]string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "HOME=" + home, "TMPDIR=" + home,
		"DBUS_SESSION_BUS_ADDRESS=disabled:", "NO_AT_BRIDGE=1", "GSETTINGS_BACKEND=memory",
	}, environ...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		group := -cmd.Process.Pid
		syscall.Kill(group, syscall.SIGTERM)
		kill := time.AfterFunc(patience/3, func() { syscall.Kill(group, syscall.SIGKILL) })
		cmd.Wait() // It waits until all processes have closed the output, too.
		kill.Stop()
		if t.Failed() {
			t.Logf("the output of %s:\n%s", filepath.Base(path), &output)
		}
	})
}
