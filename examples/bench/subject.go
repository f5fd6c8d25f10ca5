package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	pkgerrors "github.com/pkg/errors"
	"golang.org/x/sys/unix"

	"novcomet/examples/internal/launch"
)

// The programs that are compared: comet-fcgi and one of the others.
const (
	cometFCGI = "comet-fcgi"
	plain     = "plain"
	baseline  = "baseline"
)

// No poll ends unchanged while something is measured.
const (
	tries = 1000
	sleep = 2 * time.Second
)

// subject is a running program, and how clients reach it.
type subject struct {
	name      string
	process   process
	front     []process // of the web server in front
	dial      func() (net.Conn, error)
	dialect   dialect
	socket    string        // of the program
	directory string        // of the events
	log       func() string // what the processes have logged
	cleanup   []func()

	unused usage // while no client waits
}

// usage is what the program, and the web server in front, use.
type usage struct {
	memory, frontMemory float64 // bytes
	peak                float64 // bytes, since the peak was reset
	cpu, frontCPU       float64 // seconds so far
}

// start starts a program with events of its own, behind nginx if the options say so. FastCGI connections are
// kept, or each request has its own.
func (b *bench) start(ctx context.Context, name string, keep bool) (_ *subject, err error) {
	s := &subject{name: name, log: func() string { return "" }}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.directory, err = os.MkdirTemp("/dev/shm", temporary); err != nil {
		return nil, pkgerrors.Wrap(err, "making a directory for the events")
	}
	s.cleanup = append(s.cleanup, func() { os.RemoveAll(s.directory) })
	if err := os.Chmod(s.directory, 0o777); err != nil { // A web server's programs run as another user.
		return nil, pkgerrors.Wrap(err, "changing the mode of the directory for the events")
	}
	s.socket = filepath.Join(s.directory, ".sock")
	err = b.run(ctx, s, "COMET_FILE_DIRECTORY="+s.directory)
	if s.dialect = (fastCGI{keep: keep}); err == nil && b.with != "" {
		err = s.startNginx(ctx, keep)
	}
	if err == nil {
		err = s.warmUp(ctx)
	}
	return s, err
}

func (s *subject) stop() {
	for i := len(s.cleanup) - 1; i >= 0; i-- {
		s.cleanup[i]()
	}
}

// run starts the program and returns when it listens. nginx, which may run as another user, can connect.
func (b *bench) run(ctx context.Context, s *subject, environ ...string) error {
	program := b.baseline
	switch s.name {
	case plain:
		program = "/proc/self/exe"
		environ = append(environ, plainSocket+"="+s.socket)
	case cometFCGI:
		if err := b.build(ctx); err != nil {
			return err
		}
		program = b.program
	}
	cmd := exec.Command(program, "--listen", "unix:"+s.socket)
	cmd.Env = append(environ, "COMET_CONFIG=/dev/null", "COMET_LOG=error", "COMET_SOCKET_MODE=0666",
		fmt.Sprintf("COMET_TRIES=%d", tries), "COMET_SLEEP="+sleep.String())
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C ends only the bench, which then stops the others.
	if err := cmd.Start(); err != nil {
		return pkgerrors.Wrapf(err, "starting %s", cmd.Path)
	}
	s.cleanup = append(s.cleanup, func() {
		cmd.Process.Kill() // An orderly end would first answer thousands of polls.
		cmd.Wait()
	})
	s.process, s.dialect, s.dial = process(cmd.Process.Pid), fastCGI{}, s.dialProgram
	return pkgerrors.Wrapf(waitUntil(ctx, 10*time.Millisecond, func() error {
		c, err := s.dial()
		if err != nil {
			return err
		}
		return c.Close()
	}), "connecting to %s", s.name)
}

func (s *subject) dialProgram() (net.Conn, error) { return net.Dial("unix", s.socket) }

// startNginx starts nginx with a location for the program, like that in examples/nginx.
func (s *subject) startNginx(ctx context.Context, keep bool) error {
	const path = "/measured.php"
	keepalive, keepConn := "", "off"
	if keep {
		keepalive, keepConn = "keepalive 20000;", "on"
	}
	others := descendants("nginx")
	_, err := s.startSite(ctx, launch.Options{
		Server: launch.Nginx,
		HTTP:   "upstream measured { server unix:" + s.socket + "; " + keepalive + " }",
		Extra: "location = " + path + " { include fastcgi_params; fastcgi_pass measured; fastcgi_keep_conn " + keepConn +
			"; fastcgi_read_timeout 75s; fastcgi_pass_header X-Accel-Buffering; }",
	}, path)
	s.front = slices.DeleteFunc(descendants("nginx"), func(p process) bool { return slices.Contains(others, p) })
	if err == nil && len(s.front) == 0 {
		err = errors.New("the processes of nginx cannot be found")
	}
	return err
}

func (s *subject) startSite(ctx context.Context, o launch.Options, path string) (*launch.Site, error) {
	site, err := launch.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	s.cleanup = append(s.cleanup, func() { site.Stop() })
	s.log, s.dialect = site.Log, overHTTP{path}
	s.dial = func() (net.Conn, error) { return net.Dial("tcp", site.URL[len("http://"):]) }
	return site, nil
}

// warmUp makes the program serve a poll and a publication, so that what it allocates once is not counted per
// client.
func (s *subject) warmUp(ctx context.Context) error {
	const settled = 200 * time.Millisecond // The connection is closed.
	if err := s.createEvents(1); err != nil {
		return err
	}
	c := &client{subject: s}
	defer c.leave()
	if err := c.subscribe(event(0)); err != nil {
		return err
	}
	if _, err := c.sample(1, func() error { return s.publish(event(0)) }); err != nil {
		return err
	}
	c.leave()
	if err := launch.Sleep(ctx, settled); err != nil {
		return err
	}
	var err error
	s.unused, err = s.usage()
	return err
}

func (s *subject) usage() (u usage, err error) {
	var errs [3]error
	u.memory, errs[0] = s.process.memory()
	u.peak, errs[1] = s.process.peak()
	for _, p := range s.front {
		memory, err := p.memory()
		cpu, err2 := p.cpu()
		if err := cmp.Or(err, err2); err != nil {
			return u, err
		}
		u.frontMemory, u.frontCPU = u.frontMemory+memory, u.frontCPU+cpu
	}
	u.cpu, errs[2] = s.process.cpu()
	return u, cmp.Or(errs[:]...)
}

// event is the name of one of the events.
func event(i int) string { return fmt.Sprintf("event-%05d", i) }

// createEvents creates n events with a stamp that no publication can have.
func (s *subject) createEvents(n int) error {
	old := time.Now().Add(-time.Hour)
	for i := range n {
		path := s.file(event(i))
		err := os.WriteFile(path, nil, 0o666)
		if err == nil {
			err = os.Chmod(path, 0o666) // WriteFile applies the umask.
		}
		if err == nil {
			err = os.Chtimes(path, old, old)
		}
		if err != nil {
			return pkgerrors.Wrap(err, "creating an event")
		}
	}
	return nil
}

func (s *subject) file(id string) string { return filepath.Join(s.directory, id+".comet") }

// touch publishes as any other program does.
func (s *subject) touch(id string) error {
	now := []unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_NOW}}
	return pkgerrors.Wrap(unix.UtimesNanoAt(unix.AT_FDCWD, s.file(id), now, 0), "touching an event")
}

// publish publishes by URL and returns when that is answered.
func (s *subject) publish(id string) error {
	text, err := s.get("publish=" + id)
	if err == nil && text != "true" {
		err = fmt.Errorf("a publication was answered %q", text)
	}
	return err
}
