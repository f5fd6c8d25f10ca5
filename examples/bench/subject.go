package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"

	"novcomet/examples/internal/launch"
)

// The programs that are compared.
const (
	cometFCGI = "comet-fcgi"
	plain     = "plain"
)

var programs = []string{cometFCGI, plain}

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
	files               int     // open ones
}

// start starts a program with events of its own, behind the web server of the options if there is one.
func (b *bench) start(ctx context.Context, name string) (_ *subject, err error) {
	s := &subject{name: name, log: func() string { return "" }}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.directory, err = os.MkdirTemp("/dev/shm", temporary); err != nil {
		return nil, errors.Wrap(err, "making a directory for the events")
	}
	s.cleanup = append(s.cleanup, func() { os.RemoveAll(s.directory) })
	if err := os.Chmod(s.directory, 0o777); err != nil { // A web server's programs run as another user.
		return nil, errors.Wrap(err, "changing the mode of the directory for the events")
	}
	socket := filepath.Join(s.directory, ".sock")
	switch {
	case name == plain:
		err = s.runPlain(ctx, socket)
	case b.with == "":
		err = b.runFCGI(ctx, s, socket, "COMET_FILE_DIRECTORY="+s.directory)
	}
	if err == nil && b.with != "" {
		err = s.startNginx(ctx, socket)
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

func (s *subject) runPlain(ctx context.Context, socket string) error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{plainSocket + "=" + socket, "COMET_FILE_DIRECTORY=" + s.directory}
	return s.run(ctx, cmd, socket)
}

func (b *bench) runFCGI(ctx context.Context, s *subject, socket string, environ ...string) error {
	if err := b.build(ctx); err != nil {
		return err
	}
	cmd := exec.Command(b.program, "--listen", "unix:"+socket)
	cmd.Env = append([]string{"COMET_CONFIG=/dev/null", "COMET_LOG=error", fmt.Sprintf("COMET_TRIES=%d", tries),
		"COMET_SLEEP=" + sleep.String()}, environ...)
	return s.run(ctx, cmd, socket)
}

// run starts the program and returns when it listens.
func (s *subject) run(ctx context.Context, cmd *exec.Cmd, socket string) error {
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C ends only the bench, which then stops the others.
	if err := cmd.Start(); err != nil {
		return errors.Wrapf(err, "starting %s", cmd.Path)
	}
	s.cleanup = append(s.cleanup, func() {
		cmd.Process.Kill() // An orderly end would first answer thousands of polls.
		cmd.Wait()
	})
	s.process, s.dialect = process(cmd.Process.Pid), fastCGI{}
	s.dial = func() (net.Conn, error) { return net.Dial("unix", socket) }
	return s.listens(ctx)
}

func (s *subject) listens(ctx context.Context) error {
	return errors.Wrapf(waitUntil(ctx, 10*time.Millisecond, func() error {
		c, err := s.dial()
		if err != nil {
			return err
		}
		return c.Close()
	}), "connecting to %s", s.name)
}

// startNginx starts nginx with the file in examples/nginx. The plain program gets a location of its own.
func (s *subject) startNginx(ctx context.Context, socket string) error {
	o := launch.Options{
		Server: launch.Nginx, Directory: s.directory,
		Settings: map[string]string{"tries": fmt.Sprint(tries), "sleep": sleep.String()},
	}
	path := "/comet.php"
	if s.name == plain {
		path = "/plain.php"
		o.Extra = "location = /plain.php { include fastcgi_params; fastcgi_pass unix:" + socket + ";" +
			" fastcgi_read_timeout 75s; }"
	}
	if err := s.startSite(ctx, o, path); err != nil {
		return err
	}
	if daemons := descendants(cometFCGI); s.name == cometFCGI && len(daemons) == 1 {
		s.process = daemons[0]
	}
	if s.front = descendants("nginx"); s.process == 0 || len(s.front) == 0 {
		return errors.New("the processes of nginx or comet-fcgi cannot be found")
	}
	return nil
}

func (s *subject) startSite(ctx context.Context, o launch.Options, path string) error {
	site, err := launch.Start(ctx, o)
	if err != nil {
		return err
	}
	s.cleanup = append(s.cleanup, func() { site.Stop() })
	s.directory, s.log, s.dialect = site.Events, site.Log, overHTTP{path}
	s.dial = func() (net.Conn, error) { return net.Dial("tcp", site.URL[len("http://"):]) }
	return nil
}

// warmUp makes the program serve a poll and a publication, so that what it allocates once is not counted per
// client.
func (s *subject) warmUp(ctx context.Context) error {
	const closed = 200 * time.Millisecond // The program closes its side of the connection.
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
	if err := launch.Sleep(ctx, closed); err != nil {
		return err
	}
	var err error
	s.unused, err = s.usage()
	return err
}

func (s *subject) usage() (u usage, err error) {
	var errs [4]error
	u.memory, errs[0] = s.process.memory()
	u.peak, errs[1] = s.process.peak()
	u.files, errs[2] = s.process.files()
	for _, p := range s.front {
		memory, err := p.memory()
		cpu, err2 := p.cpu()
		if err := cmp.Or(err, err2); err != nil {
			return u, err
		}
		u.frontMemory, u.frontCPU = u.frontMemory+memory, u.frontCPU+cpu
	}
	u.cpu, errs[3] = s.process.cpu()
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
			return errors.Wrap(err, "creating an event")
		}
	}
	return nil
}

func (s *subject) file(id string) string { return filepath.Join(s.directory, id+".comet") }

// touch publishes as any other program does.
func (s *subject) touch(id string) error {
	now := []unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_NOW}}
	return errors.Wrap(unix.UtimesNanoAt(unix.AT_FDCWD, s.file(id), now, 0), "touching an event")
}

// publish publishes by URL and returns when that is answered.
func (s *subject) publish(id string) error {
	text, err := s.get("publish=" + id)
	if err == nil && text != "true" {
		err = errors.Errorf("a publication was answered %q", text)
	}
	return err
}
