package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	pkgerrors "github.com/pkg/errors"
)

// stopTime is the time between SIGTERM and SIGKILL. comet-fcgi needs up to 5 s, and more on a busy
// machine.
const stopTime = 20 * time.Second

// credential is the user of a process.
type credential = syscall.Credential

// process is a started program. It has a process group of its own, so that Ctrl-C in a terminal reaches only
// this process, which then ends the programs in order.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the program has ended and was waited for
}

// run starts a program as the site's user. stdin may be nil.
func (s *Site) run(stdin *os.File, argv ...string) (*process, error) {
	cmd := s.asUser(exec.Command(argv[0], argv[1:]...))
	if stdin != nil {
		cmd.Stdin = stdin
	}
	cmd.Stdout, cmd.Stderr = s.log.w, s.log.w
	cmd.SysProcAttr.Setpgid = true
	// A server ends its own child processes on SIGTERM, but not on SIGKILL.
	cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	if err := cmd.Start(); err != nil {
		return nil, pkgerrors.Wrapf(err, "starting %s", argv[0])
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		cmd.Wait()
		// End what is left of the process group, before the kernel can reuse its number.
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}()
	return p, nil
}

// asUser makes the command run as the site's user in the temporary directory. It gets no variable of this
// process, so that COMET_TRIES in a user's shell does not change a test.
func (s *Site) asUser(cmd *exec.Cmd, environ ...string) *exec.Cmd {
	cmd.Dir = s.dir
	cmd.Env = append([]string{
		"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=" + s.dir, "TMPDIR=" + s.dir, "LANG=C.UTF-8",
	}, environ...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential}
	return cmd
}

// end sends SIGTERM, and SIGKILL after stopTime.
func (p *process) end() error {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(stopTime):
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
		return fmt.Errorf("%s did not end within %v of SIGTERM", p.cmd.Path, stopTime)
	}
}

// DaemonPID returns the number of comet-fcgi's process.
func (s *Site) DaemonPID() int { return s.daemon.cmd.Process.Pid }

// WorkerPIDs returns the numbers of the processes that the web server has started, or its own if it has
// started none. After a reload, earlier ones are among them as long as they have requests.
func (s *Site) WorkerPIDs() (pids []int) {
	server := s.server.cmd.Process.Pid
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", server)) // It may have ended.
	for _, child := range strings.Fields(string(children)) {
		if pid, err := strconv.Atoi(child); err == nil {
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		pids = []int{server}
	}
	return pids
}

// killBelow kills every process whose program is in the directory, such as a comet.cgi that still waits after
// the end of its web server.
func killBelow(dir string) error {
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return pkgerrors.Wrap(err, "listing processes")
	}
	for _, link := range links {
		exe, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(exe, dir+"/") {
			continue // It has ended, or is not ours.
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if err != nil {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
			return pkgerrors.Wrapf(err, "killing %s (process %d)", exe, pid)
		}
	}
	return nil
}

// ordinaryUser returns the user who runs the server. The credential is nil if that is the user of this
// process. For root it is www-data or nobody.
func ordinaryUser() (name string, _ *credential, _ error) {
	if os.Geteuid() != 0 {
		u, err := user.Current()
		if err != nil {
			return "", nil, pkgerrors.Wrap(err, "finding the name of this user")
		}
		return u.Username, nil, nil
	}
	for _, name := range []string{"www-data", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		owner := &credential{}
		_, err = fmt.Sscan(u.Uid+" "+u.Gid, &owner.Uid, &owner.Gid)
		return name, owner, pkgerrors.Wrapf(err, "reading the numbers of %s", name)
	}
	return "", nil, errors.New("a web server must not run as root, and there is no user www-data or nobody")
}

// Command returns a command that runs comet-fcgi as the site's user, with the site's comet.yaml, these
// arguments and these additional variables.
func (s *Site) Command(ctx context.Context, environ []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.dir, canonical[bin], "comet-fcgi"), args...)
	return s.asUser(cmd, append([]string{"COMET_CONFIG=" + s.File()}, environ...)...)
}

// Shell runs a shell script as the site's user in the directory of the events:
// site.Shell(ctx, "touch news.comet").
func (s *Site) Shell(ctx context.Context, script string) error {
	cmd := s.asUser(exec.CommandContext(ctx, "/bin/sh", "-c", script), "COMET_CONFIG="+s.File()) // for comet-fcgi publish
	cmd.Dir = s.Events
	output, err := cmd.CombinedOutput()
	return pkgerrors.Wrapf(err, "%s: %s", script, output)
}
