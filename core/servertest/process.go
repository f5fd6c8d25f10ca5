//go:build linux

package servertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// process is a server program with a port of its own.
type process struct {
	t         testing.TB
	port      int
	directory string
	running   *exec.Cmd     // nil after Kill
	ended     chan struct{} // closed when running has ended
}

// prepare gives the process a port and a directory. It is killed when the test ends.
func (p *process) prepare(t testing.TB) {
	t.Helper()
	p.t, p.port, p.directory = t, FreePort(t), t.TempDir()
	t.Cleanup(p.Kill)
}

// Address returns the server's host:port. It stays the same after a restart.
func (p *process) Address() string { return fmt.Sprintf("127.0.0.1:%d", p.port) }

// run starts a program and returns when it answers. Its Debian package has the same name.
func (p *process) run(program string, environment, arguments []string, answers func() bool) {
	p.t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		p.t.Fatalf("%s is not installed (apt install %[1]s): %v", program, err)
	}
	output, err := os.Create(p.outputFile())
	if err != nil {
		p.t.Fatal(err)
	}
	defer output.Close()
	command, ended := exec.Command(path, arguments...), make(chan struct{})
	command.Env = append([]string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}, environment...)
	command.Stdout, command.Stderr = output, output
	// The test program may end without its cleanups.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 && program == memcached {
		// memcached does not run as root. Its own option -u would make the kernel forget the signal.
		const nobody = 65534
		command.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	if err := command.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.running, p.ended = command, ended
	go func() {
		defer close(ended)
		_ = command.Wait() // It is killed in the end.
	}()
	p.waitFor("the server answers", answers)
}

func (p *process) outputFile() string { return filepath.Join(p.directory, "output") }

// waitFor waits for a condition that the running server fulfils.
func (p *process) waitFor(what string, condition func() bool) {
	p.t.Helper()
	WaitFor(p.t, what, func() bool {
		select {
		case <-p.ended:
			output, _ := os.ReadFile(p.outputFile())
			p.t.Fatalf("%s: the server has ended: %s", what, output)
		default:
		}
		return condition()
	})
}

// Kill ends the server at once.
func (p *process) Kill() {
	if p.running == nil {
		return
	}
	_ = p.running.Process.Kill() // It may have ended by itself.
	<-p.ended
	p.running = nil
}

// Freeze stops the server, and returns when all of its threads have stopped. The kernel still accepts
// connections for it. thaw lets the server go on.
func (p *process) Freeze() (thaw func()) {
	p.t.Helper()
	process := p.running.Process
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		p.t.Fatal(err)
	}
	WaitFor(p.t, "the server has stopped", func() bool { return hasStopped(p.t, process.Pid) })
	return func() { _ = process.Signal(syscall.SIGCONT) } // The server may have been killed.
}

// hasStopped reports whether every thread of a process has the state T in /proc/PID/task/TID/stat.
func hasStopped(t testing.TB, pid int) bool {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("read the threads of process %d: %v", pid, err)
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		_, state, _ := strings.Cut(string(stat), ") ")
		if err == nil && !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return true
}
