package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pkg/errors"

	"novcomet/examples/internal/launch"
)

// No poll ends unchanged while something is measured.
const (
	tries = 1000
	sleep = 2 * time.Second
)

// kind is a program to be measured.
type kind struct {
	name  string
	title string
	lanes int // single waiters measured at the same time: one where answers come at once
}

var kinds = []kind{
	{"comet-fcgi", "comet-fcgi", 1},
	{"plain", "net/http/fcgi", 32},
}

// subject is such a program, running, and how to speak to it.
type subject struct {
	kind
	process   process
	front     []process // the web server before it
	dial      func() (net.Conn, error)
	dialect   dialect
	directory string        // of the events
	said      func() string // what the programs had to say
	stop      func()

	// While nobody waits:
	empty      float64 // memory in bytes
	frontEmpty float64
	files      int // open
}

// start starts the program with a directory of its own, and behind a web server where the options want one.
func start(ctx context.Context, k kind, o options) (*subject, error) {
	directory, err := os.MkdirTemp("/dev/shm", temporary)
	if err != nil {
		return nil, errors.Wrap(err, "making a directory for the events")
	}
	if err := os.Chmod(directory, 0o777); err != nil { // Behind a web server the program runs as another user.
		return nil, errors.Wrap(err, "the mode of the directory for the events")
	}
	s := &subject{kind: k, directory: directory, said: func() string { return "" }}
	stopAll := []func(){func() { os.RemoveAll(directory) }}
	s.stop = func() {
		for i := len(stopAll) - 1; i >= 0; i-- {
			stopAll[i]()
		}
	}
	if k.name == "plain" || o.with == "" {
		socket := filepath.Join(directory, ".sock")
		stop, err := s.startAlone(ctx, socket)
		if err != nil {
			s.stop()
			return nil, err
		}
		stopAll = append(stopAll, stop)
	}
	if o.with != "" {
		stop, err := s.startBehind(ctx)
		if err != nil {
			s.stop()
			return nil, err
		}
		stopAll = append(stopAll, stop)
	}
	if err := s.warmUp(); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *subject) startAlone(ctx context.Context, socket string) (stop func(), err error) {
	remove := func() {}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{plainSocket + "=" + socket, "COMET_FILE_DIRECTORY=" + s.directory}
	if s.name == "comet-fcgi" {
		var program string
		if program, remove, err = build(ctx); err != nil {
			return nil, err
		}
		cmd = exec.Command(program, "--listen", "unix:"+socket)
		cmd.Env = []string{"COMET_CONFIG=/dev/null", "COMET_LOG=error", "COMET_TRIES=1000", "COMET_SLEEP=2s", "COMET_FILE_DIRECTORY=" + s.directory}
	}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // A Ctrl-C reaches this process alone.
	if err := cmd.Start(); err != nil {
		remove()
		return nil, errors.Wrap(err, "starting it")
	}
	s.process = process(cmd.Process.Pid)
	s.dialect = fastCGI{}
	s.dial = func() (net.Conn, error) { return net.Dial("unix", socket) }
	return func() {
		cmd.Process.Kill() // An orderly end would answer thousands first.
		cmd.Wait()
		remove()
	}, nil
}

// startBehind starts nginx from examples/nginx. Its location is comet-fcgi's; the plain program gets one beside it.
func (s *subject) startBehind(ctx context.Context) (stop func(), err error) {
	o := launch.Options{
		Server: launch.Nginx, Directory: s.directory,
		Settings: map[string]string{"tries": "1000", "sleep": "2"},
	}
	path := "/comet.php"
	if s.name == "plain" {
		path = "/plain.php"
		o.Extra = "location = /plain.php { include fastcgi_params; fastcgi_pass unix:" + s.directory + "/.sock; fastcgi_read_timeout 75s; }"
	}
	site, err := launch.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	stop = func() { site.Stop() }
	s.said = site.Log
	self := process(os.Getpid())
	if daemons := self.children("comet-fcgi"); s.name == "comet-fcgi" && len(daemons) == 1 {
		s.process = daemons[0]
	}
	for _, master := range self.children("nginx") {
		s.front = append(s.front, master.children("nginx")...)
	}
	if s.process == 0 || len(s.front) == 0 {
		stop()
		return nil, errors.New("the processes of the web server are not to be found")
	}
	address := site.URL[len("http://"):]
	s.dialect = overHTTP{path}
	s.dial = func() (net.Conn, error) { return net.Dial("tcp", address) }
	return stop, nil
}

// warmUp lets the program serve one poll and one publication, so that what it needs once is not taken for a waiter's.
func (s *subject) warmUp() error {
	const patience = time.Minute
	if err := s.createEvents(1); err != nil {
		return err
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) { // until it listens
		c, err := s.dial()
		if err == nil {
			c.Close()
			break
		}
		if time.Now().After(end) {
			return errors.Wrap(err, "it does not listen")
		}
	}
	w := newWaiter(s)
	defer w.leave()
	if err := w.watch(event(0)); err != nil {
		return err
	}
	if _, err := s.singleSample(w, s.publish); err != nil {
		return err
	}
	w.leave()
	time.Sleep(200 * time.Millisecond) // It closes its side of the connection.
	var err error
	if s.empty, err = s.process.memory(); err != nil {
		return err
	}
	if s.frontEmpty, err = s.frontMemory(); err != nil {
		return err
	}
	s.files, err = s.process.files()
	return err
}

func (s *subject) frontMemory() (float64, error) {
	total := 0.0
	for _, p := range s.front {
		memory, err := p.memory()
		if err != nil {
			return 0, err
		}
		total += memory
	}
	return total, nil
}
