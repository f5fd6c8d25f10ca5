// Package redistest starts Redis servers for tests: on loopback ports of their own, in temporary directories, ended with the
// test. If redis-server is not installed, the test fails.
package redistest

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// Patience is how long anything may take that a test waits for.
const Patience = 60 * time.Second

// Server is a redis-server. What differs from the default is set before Start.
type Server struct {
	// Arguments are more of redis-server's.
	Arguments []string
	// Ahead is how far its clock is ahead of this machine's, in whole seconds; negative: behind.
	Ahead time.Duration
	// Password is the default user's; empty: there is none.
	Password string
	// Certificate makes it speak TLS alone.
	Certificate *Certificate

	t         testing.TB
	port      int
	directory string
	process   *exec.Cmd
	ended     chan struct{}
	output    *output
}

// Start starts a server with nothing special.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{}
	s.Start(t)
	return s
}

// Start starts the server and returns when it answers. It ends with the test.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.t, s.port, s.directory = t, freePort(t), t.TempDir()
	t.Cleanup(s.Kill)
	s.Restart()
}

// Address is its host:port.
func (s *Server) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// TLS is how to connect to it; nil: without TLS.
func (s *Server) TLS() *tls.Config {
	if s.Certificate == nil {
		return nil
	}
	return s.Certificate.Config()
}

// Restart starts the server again after Kill, with what Save has saved.
func (s *Server) Restart() {
	s.t.Helper()
	s.run()
	s.waitFor("an answer to PING", func() bool { _, err := s.do("PING"); return err == nil })
}

// Forget makes it start empty the next time.
func (s *Server) Forget() {
	s.t.Helper()
	if err := os.Remove(filepath.Join(s.directory, "dump.rdb")); err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
}

// Save saves all data for Restart.
func (s *Server) Save() { s.t.Helper(); s.Do("SAVE") }

// Kill ends the server at once.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill() // It may have ended by itself.
	<-s.ended
	s.process = nil
}

// Freeze keeps the server from answering. Connections are still accepted, by the kernel. The returned function ends that.
func (s *Server) Freeze() (thaw func()) {
	s.t.Helper()
	process := s.process.Process
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		s.t.Fatal(err)
	}
	return func() { _ = process.Signal(syscall.SIGCONT) }
}

// Do sends a command and returns the answer.
func (s *Server) Do(arguments ...any) any {
	s.t.Helper()
	answer, err := s.do(arguments...)
	if err != nil {
		s.t.Fatalf("%v on %s: %v", arguments, s.Address(), err)
	}
	return answer
}

func (s *Server) do(arguments ...any) (any, error) {
	client := goredis.NewClient(&goredis.Options{
		Addr: s.Address(), Password: s.Password, TLSConfig: s.TLS(), Protocol: 2, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true,
	})
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	return client.Do(ctx, arguments...).Result()
}

// Info returns a line of what INFO says.
func (s *Server) Info(name string) string {
	text, _ := s.do("INFO")
	for line := range strings.Lines(fmt.Sprint(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (s *Server) run() {
	s.t.Helper()
	arguments := []string{"--bind", "127.0.0.1", "--dir", s.directory, "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"}
	if s.Certificate != nil {
		arguments = append(arguments, "--port", "0", "--tls-port", fmt.Sprint(s.port))
		arguments = append(arguments, s.Certificate.arguments()...)
	} else {
		arguments = append(arguments, "--port", fmt.Sprint(s.port))
	}
	if s.Password != "" {
		arguments = append(arguments, "--requirepass", s.Password, "--masterauth", s.Password)
	}
	s.start(append(arguments, s.Arguments...))
}

// start starts redis-server as it is.
func (s *Server) start(arguments []string) {
	s.t.Helper()
	logging.Disable() // It would tell of every attempt.
	program, err := exec.LookPath("redis-server")
	if err != nil {
		s.t.Fatalf("redis-server is not installed (apt install redis-server): %v", err)
	}
	s.output = &output{}
	s.process = exec.Command(program, arguments...)
	s.process.Env = append([]string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}, s.clock()...)
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // The test program may end without its cleanups.
	s.process.Stdout, s.process.Stderr = s.output, s.output
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.ended = make(chan struct{})
	go func(process *exec.Cmd, ended chan struct{}) {
		_ = process.Wait() // It is killed in the end.
		close(ended)
	}(s.process, s.ended)
}

func (s *Server) waitFor(what string, condition func() bool) {
	s.t.Helper()
	WaitFor(s.t, what, func() bool {
		select {
		case <-s.ended:
			s.t.Fatalf("%s: redis-server has ended: %s", what, s.output)
		default:
		}
		return condition()
	})
}

// WaitFor fails the test where the condition does not come true within Patience.
func WaitFor(t testing.TB, what string, condition func() bool) {
	t.Helper()
	const pause = 10 * time.Millisecond
	for deadline := time.Now().Add(Patience); !condition(); time.Sleep(pause) {
		if time.Now().After(deadline) {
			t.Fatalf("after %v still not: %s", Patience, what)
		}
	}
}

// output is what a server says, for the log of a test that fails.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
