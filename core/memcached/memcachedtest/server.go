// Package memcachedtest starts real memcached servers, on loopback, for tests.
package memcachedtest

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a server may take to start, on a loaded machine.
const patience = 30 * time.Second

// Server is a memcached. It ends with its test.
type Server struct {
	// Address is host:port, the same after each Start.
	Address string
	// Arguments are those of the command line besides the address.
	Arguments []string

	t       testing.TB
	port    int
	running *exec.Cmd
	ended   chan struct{} // when running has
	filled  int           // keys
}

// Start starts a server with these arguments. If memcached is not installed, the test fails.
func Start(t testing.TB, arguments ...string) *Server {
	t.Helper()
	port := freePort(t)
	s := &Server{Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Arguments: arguments, t: t, port: port}
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

// Start starts the server again, empty.
func (s *Server) Start() {
	s.t.Helper()
	program, err := exec.LookPath("memcached")
	if err != nil {
		s.t.Fatalf("memcached is not installed (apt install memcached): %v", err)
	}
	arguments := append([]string{"-l", "127.0.0.1", "-p", strconv.Itoa(s.port), "-U", "0", "-t", "2"}, s.Arguments...)
	s.running = exec.Command(program, arguments...)
	s.running.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // The test program may end without its cleanups.
	if os.Geteuid() == 0 {
		// It will not run as root. Its own -u would make the kernel forget the signal.
		const nobody = 65534
		s.running.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	output := &strings.Builder{}
	s.running.Stdout, s.running.Stderr = output, output
	if err := s.running.Start(); err != nil {
		s.t.Fatal(err)
	}
	running, ended := s.running, make(chan struct{})
	s.ended = ended
	go func() {
		defer close(ended)
		_ = running.Wait() // It is killed, or has said why it ended.
	}()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for deadline := time.After(patience); s.try("version") == ""; {
		select {
		case <-again.C:
			continue
		case <-ended:
		case <-deadline:
		}
		s.Kill()
		s.t.Fatalf("memcached does not answer at %s; it said: %s", s.Address, output)
	}
}

// Kill ends the server at once, with all it has stored.
func (s *Server) Kill() {
	if s.running == nil {
		return
	}
	_ = s.running.Process.Kill() // It may have ended by itself.
	<-s.ended
	s.running = nil
}

// Freeze stops the server, and returns when all of its threads have stopped. The kernel still accepts connections for it.
// Thaw undoes it.
func (s *Server) Freeze() {
	s.t.Helper()
	s.signal(syscall.SIGSTOP)
	for deadline := time.Now().Add(10 * time.Second); !s.stopped(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatal("memcached does not stop")
		}
	}
}

// stopped reports whether every thread of the server has stopped: state T in /proc/PID/task/TID/stat.
func (s *Server) stopped() bool {
	s.t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.running.Process.Pid))
	if err != nil || len(threads) == 0 {
		s.t.Fatalf("reading the threads of memcached: %v", err)
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

// Thaw undoes Freeze.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.running.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

// Do sends a command, which may have several lines, and returns the first line of the answer.
func (s *Server) Do(command string) string {
	s.t.Helper()
	answer := s.try(command)
	if answer == "" {
		s.t.Fatalf("memcached at %s does not answer %q", s.Address, command)
	}
	return answer
}

// Set stores a value, as any other program may.
func (s *Server) Set(key, value string) {
	s.t.Helper()
	if answer := s.Do(fmt.Sprintf("set %s 0 0 %d\r\n%s", key, len(value), value)); answer != "STORED" {
		s.t.Fatalf("set %s: %s", key, answer)
	}
}

// Fill stores n values of that size, each under a key of its own, as far as there is room.
func (s *Server) Fill(n, size int) {
	s.t.Helper()
	connection, err := net.DialTimeout("tcp", s.Address, patience)
	if err != nil {
		s.t.Fatal(err)
	}
	defer connection.Close()
	commands, value := bufio.NewWriter(connection), strings.Repeat("x", size)
	for range n {
		s.filled++
		fmt.Fprintf(commands, "set fill:%08d 0 0 %d noreply\r\n%s\r\n", s.filled, size, value)
	}
	fmt.Fprint(commands, "version\r\n")
	if err := commands.Flush(); err != nil {
		s.t.Fatal(err)
	}
	answers := bufio.NewScanner(connection)
	for answers.Scan() && !strings.HasPrefix(answers.Text(), "VERSION") { // "SERVER_ERROR out of memory" comes also with noreply.
	}
}

// Stat returns one of the server's counters.
func (s *Server) Stat(name string) (value int) {
	s.t.Helper()
	connection, err := net.DialTimeout("tcp", s.Address, patience)
	if err != nil {
		s.t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprint(connection, "stats\r\n")
	lines := bufio.NewScanner(connection)
	for lines.Scan() && lines.Text() != "END" {
		if text, ok := strings.CutPrefix(lines.Text(), "STAT "+name+" "); ok {
			if value, err = strconv.Atoi(text); err != nil {
				s.t.Fatal(err)
			}
			return value
		}
	}
	s.t.Fatalf("memcached has no counter %s", name)
	return 0
}

// try returns "" where there is no answer.
func (s *Server) try(command string) string {
	connection, err := net.DialTimeout("tcp", s.Address, patience)
	if err != nil {
		return ""
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(patience)) // What fails is seen by what is read.
	fmt.Fprintf(connection, "%s\r\n", command)
	line, _ := bufio.NewReader(connection).ReadString('\n')
	return strings.TrimSpace(line)
}

// freePort looks below the range from which Linux takes ports for outgoing connections, so that none of those takes it
// while the server is away.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 12_000 + rand.IntN(20_000)
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free between 12000 and 32000")
	return 0
}
