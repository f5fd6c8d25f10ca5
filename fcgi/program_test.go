package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"novcomet/core/servertest"
)

// This file has what tests need to run comet-fcgi as a process of its own: the test binary starts itself
// again (main_test.go).

// startOptions are how comet-fcgi is started.
type startOptions struct {
	role   string // default: roleProgram
	args   []string
	env    []string   // in addition to isolatedEnv
	stdin  *os.File   // for example a socket; default: /dev/null
	files  []*os.File // from file descriptor 3 on
	stderr *os.File   // default: program.stderr

	unprivileged bool // as the user nobody, even if the test runs as root
}

// program is a comet-fcgi that was started.
type program struct {
	*exec.Cmd
	t      testing.TB
	stdout *servertest.Output
	stderr *servertest.Output
	ended  chan struct{}
}

// isolatedEnv returns an environment without any settings of this machine. Polls wait for 0.2 s.
func isolatedEnv(directory string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"COMET_CONFIG=" + os.DevNull,
		"COMET_PUBLISH_ALLOW=*", // Without it, the start logs a warning.
		"COMET_FILE_DIRECTORY=" + directory,
		"COMET_TRIES=4",
		"COMET_SLEEP=50ms",
		"GORACE=atexit_sleep_ms=0", // By default, a program with the race detector ends a second later.
	}
}

// longPoll makes polls wait longer than any test.
const longPoll = "COMET_TRIES=100000"

// patientStore gives memcached and Redis time on a busy machine.
const patientStore = "COMET_STORE_TIMEOUT=30s"

// start starts comet-fcgi with this directory of events. If it still runs at the end of the test, it is
// killed.
func start(t testing.TB, directory string, o startOptions) *program {
	t.Helper()
	const self = "/proc/self/exe" // The path of the binary may be closed to other users.
	p := &program{exec.Command(self, o.args...), t, &servertest.Output{}, &servertest.Output{}, make(chan struct{})}
	p.Env = append(isolatedEnv(directory), roleVariable+"="+cmp.Or(o.role, roleProgram))
	p.Env = append(p.Env, o.env...)
	if o.stdin != nil {
		p.Stdin = o.stdin
	}
	p.ExtraFiles = o.files
	p.Stdout, p.Stderr = p.stdout, p.stderr
	if o.unprivileged && os.Geteuid() == 0 {
		const nobody = 65534
		p.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if o.stderr != nil {
		p.Stderr = o.stderr
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.Wait() // ProcessState has the result.
	}()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.ended
	})
	return p
}

// startServer starts comet-fcgi on a listening socket on file descriptor 0, and returns the path of the
// socket.
func startServer(t testing.TB, directory string, env ...string) (p *program, path string) {
	t.Helper()
	socket, path := listeningSocket(t)
	return start(t, directory, startOptions{stdin: socket, env: env}), path
}

// messages returns what the program has logged, without the lines of every start.
func (p *program) messages() string {
	var lines strings.Builder
	for line := range strings.Lines(p.stderr.String()) {
		if !strings.Contains(line, `msg="settings in force"`) && !strings.Contains(line, "msg=ready") {
			lines.WriteString(line)
		}
	}
	return lines.String()
}

// wantMessage waits until the program has logged a message, and checks that there is one line, with these
// words.
func (p *program) wantMessage(words ...string) {
	p.t.Helper()
	servertest.WaitFor(p.t, "a message", func() bool { return strings.HasSuffix(p.messages(), "\n") })
	wantLine(p.t, p.messages(), words...)
}

func (p *program) waitUntilReady() {
	p.t.Helper()
	p.waitUntilLogged("msg=ready")
}

func (p *program) waitUntilLogged(text string) {
	p.t.Helper()
	servertest.WaitFor(p.t, text, func() bool { return strings.Contains(p.stderr.String(), text) })
}

// exitStatus waits until the program has ended by itself, and returns its exit status.
func (p *program) exitStatus() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(servertest.Patience):
		p.t.Fatalf("the program still runs; its log: %s", p.stderr)
	}
	return p.ProcessState.ExitCode()
}

// wantExit waits until the program has ended by itself, and checks its exit status and standard error.
func (p *program) wantExit(status int, stderr ...string) {
	p.t.Helper()
	if got := p.exitStatus(); got != status {
		p.t.Errorf("%q: exit status %d, want %d; standard error: %s", p.Args[1:], got, status, p.stderr)
	}
	wantText(p.t, p.stderr.String(), stderr...)
}

// overhead is how much longer a program may take to end on a busy machine.
const overhead = 3 * time.Second

// terminate ends the program as systemd does, and returns how long that takes. The program must end within
// 5 s.
func (p *program) terminate() time.Duration {
	p.t.Helper()
	const limit = 5 * time.Second
	begin := time.Now()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	p.wantExit(0)
	took := time.Since(begin)
	if took > limit+overhead {
		p.t.Errorf("the program ended %v after SIGTERM, want %v at most", took, limit)
	}
	return took
}

// listeningSocket returns a listening socket as another program passes it. Connections wait in its backlog
// until a comet-fcgi accepts them.
func listeningSocket(t testing.TB) (socket *os.File, path string) {
	t.Helper()
	path = filepath.Join(servertest.OpenDirectory(t), "comet.sock")
	// A socket of package net would be non-blocking, and os/exec makes it blocking for all processes that
	// share it.
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	socket = os.NewFile(uintptr(fd), path)
	t.Cleanup(func() { socket.Close() })
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 4096); err != nil {
		t.Fatal(err)
	}
	return socket, path
}

func freeAddress(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", servertest.FreePort(t))
}

func writeFile(t testing.TB, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// touch publishes an event as any other program does.
func touch(t testing.TB, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	if err := os.Chtimes(path, time.Time{}, time.Now()); err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func wantText(t testing.TB, text string, wanted ...string) {
	t.Helper()
	for _, w := range wanted {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing in: %s", w, text)
		}
	}
}

// wantLine checks that the text is one line with these words.
func wantLine(t testing.TB, text string, wanted ...string) {
	t.Helper()
	wantText(t, text, wanted...)
	if n := strings.Count(text, "\n"); n != 1 {
		t.Errorf("%d lines, want 1: %s", n, text)
	}
}
