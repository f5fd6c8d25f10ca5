package launch

import (
	"context"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pkg/errors"
)

// stopTime is how long a process may take to end after SIGTERM: comet-fcgi promises 5 s.
const stopTime = 8 * time.Second

// credential is a user to run programs as.
type credential = syscall.Credential

// process is a program started here, the leader of a process group of its own, so that a Ctrl-C in
// the terminal reaches this process alone, which then ends the others in order.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and was waited for
}

// run starts a program as the site's user; stdin is its descriptor 0.
func (s *Site) run(stdin *os.File, argv ...string) (*process, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = s.dir
	if stdin != nil {
		cmd.Stdin = stdin
	}
	cmd.Stdout, cmd.Stderr = s.log.w, s.log.w
	cmd.Env = s.environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:    true,
		Credential: s.credential,
		// SIGTERM, not SIGKILL: only an orderly end takes the server's own children along.
		Pdeathsig: syscall.SIGTERM,
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Wrapf(err, "starting %s", argv[0])
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		cmd.Wait()
		// Whoever is left of its group, usually nobody; at once, as long as the number is surely nobody else's.
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}()
	return p, nil
}

// environment is what every program gets: nothing of this process's own, so that a COMET_TRIES in the
// user's shell changes no test.
func (s *Site) environment() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=" + s.dir, "TMPDIR=" + s.dir, "LANG=C.UTF-8"}
}

// end asks the process to end, and insists after stopTime.
func (p *process) end() error {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(stopTime):
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
		return errors.Errorf("%s did not end within %v of SIGTERM", p.cmd.Path, stopTime)
	}
}

// killBelow ends what still runs a binary of the temporary directory: a comet.cgi that waits on when its
// web server is gone.
func killBelow(dir string) error {
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return errors.Wrap(err, "listing processes")
	}
	for _, link := range links {
		exe, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(exe, dir+"/") {
			continue // ended meanwhile, another user's, or none of ours
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if err != nil {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
			return errors.Wrapf(err, "ending %s (process %d)", exe, pid)
		}
	}
	return nil
}

// ordinaryUser returns whom to become, and nil for nobody else: this process is not root's.
func ordinaryUser() (name string, _ *credential, _ error) {
	if os.Geteuid() != 0 {
		u, err := user.Current()
		if err != nil {
			return "", nil, errors.Wrap(err, "looking for the name of this user")
		}
		return u.Username, nil, nil
	}
	for _, name := range []string{"www-data", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return "", nil, errors.Wrapf(err, "the user number of %s", name)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return "", nil, errors.Wrapf(err, "the group number of %s", name)
		}
		return name, &credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return "", nil, errors.New("a web server is not started as root, and there is neither a user www-data nor nobody")
}

// Command is comet-fcgi with these arguments and variables, as the site's user, with its comet.yaml.
func (s *Site) Command(ctx context.Context, environ []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.dir, canonical[bin], "comet-fcgi"), args...)
	cmd.Dir = s.dir
	cmd.Env = append(s.environment(), append([]string{"COMET_CONFIG=" + s.File()}, environ...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential}
	return cmd
}

// Shell runs a shell script as the site's user in the directory of its events, as another program
// on the same machine that publishes: site.Shell(ctx, "touch news.comet").
func (s *Site) Shell(ctx context.Context, script string) error {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", script)
	cmd.Dir = s.Events
	cmd.Env = append(s.environment(), "COMET_CONFIG="+s.File()) // On a machine, comet-fcgi publish finds it in /etc.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential}
	output, err := cmd.CombinedOutput()
	return errors.Wrapf(err, "%s: %s", script, output)
}
