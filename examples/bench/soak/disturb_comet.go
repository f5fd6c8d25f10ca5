package soak

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	pkgerrors "github.com/pkg/errors"
	"golang.org/x/sys/unix"

	"novcomet/examples/internal/launch"
)

// cometGroup is the group of what happens to comet-fcgi.
const cometGroup = "comet-fcgi"

// superviseComet starts comet-fcgi again when it has ended by itself, as systemd does, until stop is called.
func (s *soak) superviseComet(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		for launch.Sleep(ctx, time.Second) == nil {
			s.comet.Lock()
			select {
			case <-s.site.DaemonEnded():
				if !s.failedToStart(ctx) {
					s.ended++
				}
				if err := s.startDaemon(ctx); err != nil {
					s.fail("starting comet-fcgi again", err)
				}
			default:
			}
			s.comet.Unlock()
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// ofComet are the disturbances of comet-fcgi. Its socket stays open all the time, as with systemd.
func (s *soak) ofComet() []disturbance {
	if !s.options.Server.HasDaemon() {
		return nil
	}
	const group = cometGroup
	return []disturbance{
		{"restart", group, 0, func(o occurrence) (stop, error) {
			return s.startComet(o), s.site.StopDaemon()
		}},
		{"kill", group, time.Second, func(o occurrence) (stop, error) {
			return s.startComet(o), s.site.Kill()
		}},
		{"stop comet-fcgi", group, 20 * time.Second, func(o occurrence) (stop, error) {
			return freeze(s.site.DaemonPID())
		}},
		{"descriptors", group, 10 * time.Second, func(o occurrence) (stop, error) {
			if s.options.Previous != "" {
				o.Target = s.release()
			}
			return takeDescriptors(s.site.DaemonPID(), o.random.IntN(8))
		}},
	}
}

// startComet returns a function that starts comet-fcgi again. If there is a previous release, the two take
// turns.
func (s *soak) startComet(o occurrence) stop {
	return func() error {
		if s.options.Previous != "" {
			program, other := s.programs()
			if err := unix.Renameat2(unix.AT_FDCWD, program, unix.AT_FDCWD, other, unix.RENAME_EXCHANGE); err != nil {
				return pkgerrors.Wrap(err, "exchanging the programs")
			}
			s.exchanged++
			o.Target = s.release()
		}
		return s.startDaemon(context.WithoutCancel(o.ctx))
	}
}

func (s *soak) startDaemon(ctx context.Context) error {
	s.failedStarts = s.countFailedStarts()
	return s.site.StartDaemon(ctx)
}

// failedToStart reports whether comet-fcgi, which has ended, did not start because its directory was away.
func (s *soak) failedToStart(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return launch.Until(ctx, 10*time.Millisecond, nil, func() error { // The log may not have its last line yet.
		if s.countFailedStarts() == s.failedStarts {
			return errors.New("comet-fcgi had started")
		}
		return nil
	}) == nil
}

func (s *soak) countFailedStarts() int { return strings.Count(s.site.Log(), "file.directory: ") }

// previousRelease is the Target of a disturbance of the previous release, or of a restart that started it.
const previousRelease = "previous release"

// release returns which of the two releases runs, or is about to be started.
func (s *soak) release() string { return []string{"this release", previousRelease}[s.exchanged%2] }

// programs returns the path of comet-fcgi, and the one where the other release is.
func (s *soak) programs() (program, other string) {
	program = filepath.Join(filepath.Dir(s.site.File()), "bin", "comet-fcgi")
	return program, program + "-other"
}

// installPrevious copies the previous release beside this one.
func (s *soak) installPrevious() error {
	if s.options.Previous == "" {
		return nil
	}
	_, other := s.programs()
	output, err := exec.Command("install", "-m", "755", s.options.Previous, other).CombinedOutput()
	return pkgerrors.Wrapf(err, "copying the previous release: %s", output)
}

// freeze stops a process, and returns a function that lets it go on.
func freeze(pid int) (thaw stop, err error) {
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		return nil, pkgerrors.Wrapf(err, "stopping process %d", pid)
	}
	return func() error {
		if err := unix.Kill(pid, unix.SIGCONT); err != nil && !errors.Is(err, unix.ESRCH) {
			return pkgerrors.Wrapf(err, "continuing process %d", pid)
		}
		return nil
	}, nil
}

// takeDescriptors lets a process open only a few more files than it has open. The returned function restores
// its limit.
func takeDescriptors(pid, more int) (restore stop, err error) {
	process := filepath.Join("/proc", strconv.Itoa(pid))
	open, err := os.ReadDir(filepath.Join(process, "fd"))
	if err != nil {
		return nil, pkgerrors.Wrap(err, "counting open files")
	}
	var owner unix.Stat_t
	if err := unix.Stat(process, &owner); err != nil {
		return nil, pkgerrors.Wrap(err, "finding the user of a process")
	}
	prlimit := func(arguments ...string) (string, error) {
		cmd := exec.Command("prlimit", append(arguments, "--pid", strconv.Itoa(pid))...)
		// In a container, root may not do that to the processes of others.
		cmd.SysProcAttr = &unix.SysProcAttr{Credential: &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}}
		output, err := cmd.CombinedOutput()
		if unix.Kill(pid, 0) != nil {
			return "", nil // A reloaded web server ends its old processes.
		}
		return strings.TrimSpace(string(output)), pkgerrors.Wrapf(err, "prlimit: %s", output)
	}
	before, err := prlimit("--nofile", "--output=SOFT", "--noheadings")
	if err != nil {
		return nil, err
	}
	set := func(limit string) error {
		_, err := prlimit("--nofile=" + limit + ":")
		return err
	}
	return func() error { return set(before) }, set(strconv.Itoa(len(open) + more))
}
