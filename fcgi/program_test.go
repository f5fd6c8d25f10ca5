package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is for what takes no time at all, on a machine that is busy with other tests.
const patience = 15 * time.Second

// arrangement is how somebody starts comet-fcgi.
type arrangement struct {
	part   string // default: asProgram
	args   []string
	env    []string   // besides that of hermetic
	stdin  *os.File   // fd 0, where a socket may be; default: /dev/null
	files  []*os.File // from fd 3 on
	stderr *os.File   // default: kept in program.stderr

	ordinary bool // as an ordinary user, also if the test runs as root
}

// nobody is a user and a group without rights.
const nobody = 65534

// program is a comet-fcgi that was started.
type program struct {
	*exec.Cmd
	t      testing.TB
	stdout *text
	stderr *text
	ended  chan struct{}
}

// hermetic is an environment that nothing of the machine gets into, with polls that wait for 0.2 s.
func hermetic(directory string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"COMET_CONFIG=" + os.DevNull,
		"COMET_PUBLISH_ALLOW=*", // Without it, the start logs a warning.
		"COMET_FILE_DIRECTORY=" + directory,
		"COMET_TRIES=4",
		"COMET_SLEEP=50ms",
		"GORACE=atexit_sleep_ms=0", // The race detector's runtime sleeps for a second, else.
	}
}

// start starts comet-fcgi with events in directory. It is killed at the end of the test if it still runs.
func start(t testing.TB, directory string, a arrangement) *program {
	t.Helper()
	self := "/proc/self/exe" // Its own path may be closed to other users.
	p := &program{exec.Command(self, a.args...), t, &text{}, &text{}, make(chan struct{})}
	if a.part == "" {
		a.part = asProgram
	}
	p.Env = append(hermetic(directory), part+"="+a.part)
	p.Env = append(p.Env, a.env...)
	if a.stdin != nil {
		p.Stdin = a.stdin
	}
	p.ExtraFiles = a.files
	p.Stdout, p.Stderr = p.stdout, p.stderr
	if a.ordinary && os.Geteuid() == 0 {
		p.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if a.stderr != nil {
		p.Stderr = a.stderr
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.Wait() // ProcessState says it
	}()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.ended
	})
	return p
}

// logged is what the program has logged, without the lines of each start.
func (p *program) logged() string {
	var lines strings.Builder
	for line := range strings.Lines(p.stderr.String()) {
		if !strings.Contains(line, `msg="settings in force"`) && !strings.Contains(line, "msg=ready") {
			lines.WriteString(line)
		}
	}
	return lines.String()
}

// status waits until the program has ended by itself, and returns its exit status.
func (p *program) status() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("still running; it said: %s", p.stderr)
	}
	return p.ProcessState.ExitCode()
}

// terminate ends the program as systemd does, and returns how long that took.
func (p *program) terminate() time.Duration {
	p.t.Helper()
	begin := time.Now()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if status := p.status(); status != 0 {
		p.t.Errorf("after SIGTERM it ended with status %d; it said: %s", status, p.stderr)
	}
	return time.Since(begin)
}

// text is what a program has said so far.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *text) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *text) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// eventually waits until something that nobody tells of has happened.
func eventually(t testing.TB, what string, happened func() bool) {
	t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for giveUp := time.Now().Add(patience); !happened(); <-look.C {
		if time.Now().After(giveUp) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// shortDir is a directory whose path leaves room for the name of a socket, which t.TempDir may not.
func shortDir(t testing.TB) string {
	t.Helper()
	directory, err := os.MkdirTemp("", "comet")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(directory) })
	return directory
}

// boundSocket is a listening socket as a launcher passes it on. Until somebody accepts from it, connections wait.
func boundSocket(t testing.TB) (socket *os.File, path string) {
	t.Helper()
	path = filepath.Join(shortDir(t), "comet.sock")
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

// served starts comet-fcgi on a socket that is passed on fd 0, and returns its path.
func served(t testing.TB, directory string, env ...string) (p *program, path string) {
	t.Helper()
	socket, path := boundSocket(t)
	return start(t, directory, arrangement{stdin: socket, env: env}), path
}

// freePort is an address where nobody listens right now.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func write(t testing.TB, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func wantText(t testing.TB, text string, wanted ...string) {
	t.Helper()
	for _, w := range wanted {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing in: %s", w, text)
		}
	}
}

// touchFile publishes as any other program does.
func touchFile(t testing.TB, path string) {
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
