package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A machine is a system with systemd that testdata/machine.sh has booted.
type machine struct {
	clone, goroot, modules string   // paths, the same inside and outside
	enter                  []string // the command that runs another command inside, as root
	files                  int      // how many commands have been written to files
}

// boot starts a machine. It ends with the test. If dist is not "", the clone has a copy of that directory as
// dist.
func boot(t *testing.T, root, dist string) *machine {
	t.Helper()
	for _, program := range []string{"unshare", "nsenter", "setpriv", "sudo", "systemctl", "git", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatal(err)
		}
	}
	output := &bytes.Buffer{}
	m := &machine{clone: root, goroot: goEnv(t, "GOROOT"), modules: goEnv(t, "GOMODCACHE")}
	script := filepath.Join(root, "examples", "e2e", "testdata", "machine.sh")
	host := asRoot("bash", script, root, m.goroot, m.modules, goEnv(t, "GOCACHE"), dist)
	host.Stdout, host.Stderr = output, output
	input, err := host.StdinPipe() // When it is closed, the machine ends, also if the test is killed.
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { host.Wait(); close(ended) }()
	t.Cleanup(func() {
		input.Close()
		<-ended
	})
	pid := ""
	ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
	defer cancel()
	for {
		select {
		case <-ended:
			t.Fatalf("the machine does not boot: %s", output)
		case <-ctx.Done():
			t.Fatalf("the machine has not booted within %v: %s", commandTimeout, output)
		case <-time.After(50 * time.Millisecond):
		}
		if pid == "" {
			pid = systemdBelow(host.Process.Pid)
			m.enter = []string{"nsenter", "--target", pid, "--all", "--root", "--wd"}
			continue
		}
		state, _ := m.root("systemctl is-system-running", "")
		if state = strings.TrimSpace(state); state == "running" || state == "degraded" {
			return m
		}
	}
}

// must runs a script inside the machine as root, and returns the output.
func (m *machine) must(t *testing.T, script string) string {
	t.Helper()
	output, err := m.root("set -e -o pipefail\n"+script, "")
	if err != nil {
		t.Fatalf("%s: %v: %s", script, err, output)
	}
	return output
}

// want runs a script inside the machine, and compares the output.
func (m *machine) want(t *testing.T, script, want string) {
	t.Helper()
	if got := m.must(t, script); strings.TrimSpace(got) != want {
		t.Fatalf("%s: %q; want %q", script, got, want)
	}
}

// asRoot returns a command that runs as root.
func asRoot(argv ...string) *exec.Cmd {
	if os.Getuid() != 0 {
		argv = append([]string{"sudo", "-n"}, argv...)
	}
	return exec.Command(argv[0], argv[1:]...)
}

// warmCache compiles the programs, so that each machine finds most packages in Go's cache.
func warmCache(t *testing.T, root string) {
	t.Helper()
	for _, cgo := range []string{"0", "1"} {
		cmd := exec.Command("go", "build", "./cgi", "./fcgi", "./examples/demo")
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo, "GOFLAGS=-buildvcs=false")
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	value, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(value))
}

// systemdBelow returns the number of the systemd process among the descendants of a process, or "".
func systemdBelow(pid int) string {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return ""
	}
	for child := range strings.FieldsSeq(string(children)) {
		if name, err := os.ReadFile("/proc/" + child + "/comm"); err == nil && string(name) == "systemd\n" {
			return child
		}
		number, _ := strconv.Atoi(child)
		if found := systemdBelow(number); found != "" {
			return found
		}
	}
	return ""
}

// root runs a script inside the machine as root. It returns the output.
func (m *machine) root(script, stdin string) (string, error) {
	cmd := asRoot(slices.Concat(m.enter, []string{"bash", "-c", script})...)
	cmd.Stdin = strings.NewReader(stdin)
	output, err := cmd.CombinedOutput()
	return string(output), err
}
