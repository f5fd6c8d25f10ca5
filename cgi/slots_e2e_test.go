//go:build e2e

package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"novcomet/core/servertest"
)

// systemCalls runs a poll as an ordinary user, and returns how often it made the system calls by which a
// file is opened and locked, and an owner found.
func systemCalls(t *testing.T, program, directory string, limit int) map[string]int {
	t.Helper()
	counts := filepath.Join(directory, "counts-"+strconv.Itoa(limit))
	cmd := exec.Command("strace", "-f", "-c", "-o", counts, "-e", "trace=openat,fstat,flock,%creds", program)
	cmd.Env = append(settings(directory), get("subscribed[a]=now", "TMPDIR="+directory,
		"COMET_FILE_NOTIFY=false", // Its goroutine may open the directory only after the poll has ended.
		fmt.Sprintf("COMET_CGI_MAX_WAITING=%d", limit))...)
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	output, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(output), `{"s":0,"at":{"a":"0.000000"}}`) {
		t.Fatalf("%v: %s", err, output)
	}
	table, err := os.ReadFile(counts)
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); len(fields) >= 5 {
			if n, err := strconv.Atoi(fields[3]); err == nil {
				calls[fields[len(fields)-1]] = n
			}
		}
	}
	return calls
}

func TestSlots_AFreeOneCostsTwoSystemCalls(t *testing.T) {
	directory := servertest.OpenDirectory(t)
	program := buildProgram(t, directory)
	want := systemCalls(t, program, directory, 0)
	want["openat"]++
	want["flock"]++
	want["total"] += 2
	for _, file := range []string{"new", "existing"} {
		if got := systemCalls(t, program, directory, 1); !maps.Equal(got, want) {
			t.Errorf("with a limit and a %s file %v; want two more than without: %v", file, got, want)
		}
	}
}
