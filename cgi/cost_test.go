package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Limits of what comet.cgi costs.
const (
	maxSize   = 10 << 20 // bytes of the program
	maxMemory = 2 << 20  // bytes that a waiting process shares with no other
)

// Each request loads the whole program.
func TestProgram_IsSmall(t *testing.T) {
	t.Parallel()
	packages, err := exec.Command("go", "list", "-deps", "novcomet/cgi").Output()
	if err != nil {
		t.Fatal(err)
	}
	unwanted := regexp.MustCompile(`(?i).*(redis|prometheus).*`).FindAllString(string(packages), -1)
	if len(unwanted) > 0 {
		t.Errorf("comet.cgi imports %q", unwanted)
	}
	file, err := os.Stat(buildProgram(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	if file.Size() > maxSize {
		t.Errorf("comet.cgi has %d bytes; want at most %d", file.Size(), maxSize)
	}
}

func TestProgram_WaitsInLittleMemory(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	program := buildProgram(t, directory)
	var pids []int
	for range 10 {
		cmd := exec.Command(program)
		cmd.Env = get("subscribed[never]=0.0",
			"TMPDIR="+directory, "COMET_CONFIG="+os.DevNull, "COMET_FILE_DIRECTORY="+directory)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
		pids = append(pids, cmd.Process.Pid)
	}
	for _, pid := range pids {
		awaitInotify(t, pid)
	}
	for _, pid := range pids {
		if private := privateMemory(t, pid); private > maxMemory {
			t.Errorf("a waiting process has %d bytes of its own; want at most %d", private, maxMemory)
		}
	}
}

// awaitInotify waits until the process watches the directory, the last step before it waits.
func awaitInotify(t testing.TB, pid int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
		for _, link := range links {
			if info, err := os.ReadFile(link); err == nil && strings.Contains(string(info), "inotify wd:") {
				return
			}
		}
	}
	t.Fatal("comet.cgi does not wait")
}

// privateMemory returns how many bytes the process shares with no other.
func privateMemory(t testing.TB, pid int) (sum int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		if name == "Private_Clean" || name == "Private_Dirty" {
			kilobytes, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			sum += kilobytes << 10
		}
	}
	return sum
}

// BenchmarkAnswer measures one request, from the start of the process to its end.
func BenchmarkAnswer(b *testing.B) {
	directory := b.TempDir()
	program := buildProgram(b, directory)
	for b.Loop() {
		cmd := exec.Command(program)
		cmd.Env = get("publish=a", "COMET_CONFIG="+os.DevNull, "COMET_FILE_DIRECTORY="+directory)
		if out, err := cmd.Output(); err != nil || !strings.HasSuffix(string(out), "true") {
			b.Fatalf("%v: %q", err, out)
		}
	}
}

// buildProgram builds comet.cgi as a release is built.
func buildProgram(t testing.TB, directory string) (program string) {
	t.Helper()
	program = filepath.Join(directory, "comet.cgi")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}
