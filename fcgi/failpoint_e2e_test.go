//go:build e2e

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"novcomet/core/servertest"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// A program that publishes data is killed at each of its system calls on the directory and the files in it.
// Each time, readers get the old data or the new, and the next publication removes what the program has left.
func TestPublish_KilledAtAnyStepTearsNothing(t *testing.T) {
	directory := servertest.OpenDirectory(t)
	path := filepath.Join(directory, "a.comet")
	data := map[string]string{"old": strings.Repeat("old ", 8_000), "new": strings.Repeat("new ", 8_000)}
	file := writeFile(t, filepath.Join(t.TempDir(), "new"), data["new"])
	_, socket := startServer(t, directory)
	temporary := temporaryIn(directory)
	seen := map[string]int{}
	for _, call := range []string{
		"openat", "flock", "unlinkat", "newfstatat", "fstat", "fchmod", "write", "utimensat", "renameat", "close",
	} {
		for n := 1; ; n++ {
			ask(t, socket, Put("a", len(data["old"])), data["old"])
			wantFiles(t, directory, "a.comet")
			killed := straced(t, directory, []string{"publish", "a", "--data", file},
				"-P", directory, "-P", path, "-P", temporary, "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, n))
			answer := ask(t, socket, Get("subscribed[a]=0.000000&data=1"), "").Body
			got := ""
			for name, all := range data {
				if strings.Contains(answer, `"d":{"a":"`+all+`"}`) {
					got = name
				}
			}
			if got == "" || !killed && got != "new" {
				t.Errorf("killed at call %d of %s (%v): readers get %.200s", n, call, killed, answer)
			}
			if !killed {
				break
			}
			seen[call+" "+got]++
			if names := filesIn(t, directory); len(names) > 1 {
				seen["left"]++
			}
			wantPublished(t, socket, "b")
			wantFiles(t, directory, "a.comet b.comet")
			if err := os.Remove(filepath.Join(directory, "b.comet")); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("killed at %v", seen)
	for _, step := range []string{"write old", "utimensat old", "renameat old", "left"} {
		if seen[step] == 0 {
			t.Errorf("nothing was killed at %q: %v", step, seen)
		}
	}
}

// temporaryIn returns the path of the file that data is written to.
func temporaryIn(directory string) string {
	return filepath.Join(directory, ".novcomet-"+strconv.Itoa(os.Geteuid()))
}

// straced runs comet-fcgi under strace, and reports whether it was killed.
func straced(t *testing.T, directory string, args []string, options ...string) (killed bool) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	options = append(append(options, "-f", "-qq", "-o", os.DevNull, program), args...)
	command := exec.CommandContext(t.Context(), "strace", options...)
	command.Env = append(isolatedEnv(directory), roleVariable+"="+roleProgram)
	output, err := command.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == unix.SIGKILL {
		return true // strace ends as its program does.
	}
	if err != nil {
		t.Fatalf("strace %q: %v: %s", options, err, output)
	}
	return false
}

func filesIn(t *testing.T, directory string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func wantFiles(t *testing.T, directory, want string) {
	t.Helper()
	if got := strings.Join(filesIn(t, directory), " "); got != want {
		t.Errorf("the directory has %q, want %q", got, want)
	}
}

// System calls of comet-fcgi fail, or take long. Clients that poll again after an error miss nothing, and
// comet-fcgi goes on.
func TestServe_LosesNothingWhenSystemCallsFail(t *testing.T) {
	const dataOnly = "data: " // The fault is injected only into calls on the file that data is written to.
	for _, fault := range []string{
		"newfstatat:error=EIO:when=3+11", "newfstatat:delay_enter=20000:when=1+2",
		"utimensat:error=EIO:when=1+2", "utimensat:delay_exit=20000",
		"renameat:error=ENOSPC:when=1+2", "renameat:delay_enter=20000",
		// Go's runtime ends the program after any other error of epoll_wait, or of a write to its eventfd.
		"epoll_wait,epoll_pwait:error=EINTR:when=1+2", "epoll_wait,epoll_pwait:delay_exit=10000",
		"accept4:error=EMFILE:when=1+2", "accept4:error=ECONNABORTED:when=1+2", "accept4:delay_enter=20000",
		"write:error=EINTR:when=1+2", "write:delay_exit=5000", dataOnly + "write:error=ENOSPC:when=1+2",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			directory := servertest.OpenDirectory(t)
			p, socket := startServer(t, directory, "COMET_TRIES=10", "COMET_SLEEP=200ms")
			p.waitUntilReady()
			var options []string
			fault, isData := strings.CutPrefix(fault, dataOnly)
			if isData {
				options = []string{"-P", temporaryIn(directory)}
			}
			inject(t, p.Process.Pid, fault, options...)
			cursor := "0.000000"
			for n := range 10 {
				poll := make(chan string)
				go func() { poll <- askUntilAnswered(t, socket, cursor) }()
				publishUntilAnswered(t, socket, strconv.Itoa(n))
				for answer := <-poll; ; answer = askUntilAnswered(t, socket, cursor) {
					_, at, _ := strings.Cut(answer, `"at":{"a":"`)
					if cursor, _, _ = strings.Cut(at, `"`); cursor == "" {
						t.Fatalf("publication %d is missed", n)
					}
					if strings.Contains(answer, fmt.Sprintf(`"d":{"a":%d}`, n)) {
						break
					}
				}
			}
			p.terminate()
			if strings.Contains(p.stderr.String(), "panic") {
				t.Errorf("the log has a panic: %s", p.stderr)
			}
		})
	}
}

// inject injects a fault into a running process until the test ends.
func inject(t *testing.T, pid int, fault string, options ...string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	log := filepath.Join(t.TempDir(), "strace")
	options = append(options, "-f", "-o", log, "-e", "inject="+fault, "-p", strconv.Itoa(pid))
	command := exec.CommandContext(ctx, "strace", options...)
	command.Cancel = func() error { return command.Process.Signal(unix.SIGINT) }
	stderr := &servertest.Output{}
	command.Stderr = stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	servertest.WaitFor(t, "strace", func() bool { return strings.Contains(stderr.String(), "attached") })
	t.Cleanup(func() {
		stop()
		_ = command.Wait()
		all, err := os.ReadFile(log)
		if err != nil || !strings.Contains(string(all), "(INJECTED)") && !strings.Contains(string(all), "(DELAYED)") {
			t.Errorf("nothing was injected: %v", err)
		}
	})
}

// publishUntilAnswered publishes a digit, again and again if there is an error.
func publishUntilAnswered(t *testing.T, socket, digit string) {
	t.Helper()
	var r Response
	var err error
	for range 100 {
		r, err = tryAsk(socket, Put("a", 1), digit)
		if err == nil && r.Body == "true" {
			return
		}
	}
	t.Fatalf("a publication fails: %+v, %v", r, err)
}

// askUntilAnswered polls, again and again if there is an error or nothing new.
func askUntilAnswered(t *testing.T, socket, cursor string) string {
	var r Response
	var err error
	for begin := time.Now(); time.Since(begin) < servertest.Patience; {
		r, err = tryAsk(socket, Get("subscribed[a]="+cursor+"&data=1"), "")
		if err == nil && r.Status == http.StatusOK && strings.Contains(r.Body, `"s":1`) {
			return r.Body
		}
	}
	t.Errorf("no answer to a poll with %s: the last one was %+v, %v", cursor, r, err)
	return ""
}

func tryAsk(socket string, variables map[string]string, body string) (Response, error) {
	w, err := tryConnect(socket)
	if err != nil {
		return Response{}, err
	}
	defer w.Close()
	if _, err := w.Write(Request(1, 0, variables, body)); err != nil {
		return Response{}, err
	}
	return w.Response(1)
}
