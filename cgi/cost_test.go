package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
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
	file, err := os.Stat(buildProgram(t, t.TempDir(), "."))
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
	program := buildProgram(t, directory, ".")
	var pids []int
	for range 10 {
		cmd := exec.Command(program)
		cmd.Env = get("subscribed[never]=0.0", "COMET_CONFIG="+os.DevNull, "COMET_FILE_DIRECTORY="+directory)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
		pids = append(pids, cmd.Process.Pid)
	}
	var private, proportional []int // bytes of each process
	for _, pid := range pids {
		awaitInotify(t, pid)
	}
	for _, pid := range pids {
		private = append(private, memoryOf(t, pid, "Private_Clean", "Private_Dirty"))
		proportional = append(proportional, memoryOf(t, pid, "Pss"))
	}
	t.Logf("private bytes: %d; Pss: %d", private, proportional)
	if slices.Max(private) > maxMemory {
		t.Errorf("a waiting process has %d bytes of its own; want at most %d", slices.Max(private), maxMemory)
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

// memoryOf returns the sum of these rows of the process's smaps_rollup, in bytes.
func memoryOf(t testing.TB, pid int, rows ...string) (sum int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		if slices.Contains(rows, name) {
			kilobytes, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			sum += kilobytes << 10
		}
	}
	return sum
}

// BenchmarkAnswer measures the CPU time of one request, from the start of the process to its end, in turn
// with that of the smallest program of net/http/cgi, and reports the ratio of the medians. Run it on a quiet
// machine, with -benchtime=100x.
func BenchmarkAnswer(b *testing.B) {
	directory := b.TempDir()
	comet, reference := buildProgram(b, directory, "."), buildProgram(b, directory, "./testdata/reference")
	environ := get("publish=a", "COMET_CONFIG="+os.DevNull, "COMET_FILE_DIRECTORY="+directory)
	var ofComet, ofReference []time.Duration
	for b.Loop() {
		ofReference = append(ofReference, cpuTime(b, reference, environ))
		ofComet = append(ofComet, cpuTime(b, comet, environ))
	}
	ratio := float64(median(ofComet)) / float64(median(ofReference))
	b.ReportMetric(float64(median(ofComet).Microseconds()), "µs-cpu/comet.cgi")
	b.ReportMetric(float64(median(ofReference).Microseconds()), "µs-cpu/reference")
	b.ReportMetric(ratio, "ratio")
}

// buildProgram builds a program as a release is built.
func buildProgram(t testing.TB, directory, source string) (program string) {
	t.Helper()
	program = filepath.Join(directory, filepath.Base(source)+".cgi")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

func cpuTime(b *testing.B, program string, environ []string) time.Duration {
	b.Helper()
	cmd := exec.Command(program)
	cmd.Env, cmd.Stderr = environ, os.Stderr
	out, err := cmd.Output()
	if err != nil || !strings.HasSuffix(string(out), "true") {
		b.Fatalf("%v: %q", err, out)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
