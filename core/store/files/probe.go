package files

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	pkgerrors "github.com/pkg/errors"
	"golang.org/x/sys/unix"
)

// ErrCoarse means that the file system gives several publications the same time.
var ErrCoarse = errors.New("the file system does not keep the microseconds of a file's time; " +
	"put the events into /dev/shm or /run")

// Probe checks that the directory can be opened and that its file system keeps microseconds. If not, the
// error wraps [store.ErrUnavailable] or [ErrCoarse]. Probe also sets FineTimestamps: to false if it may not
// create a file to try. It must not be called together with other methods.
//
// The file for the try has no name (O_TMPFILE), so Probe does not wake programs that watch the directory. On
// other file systems, the file has a name for a moment, which starts with a dot.
func (s *Store) Probe() error { return s.probeWith(unnamedSample, namedSample) }

func (s *Store) probeWith(samples ...func(directory int) (sample, error)) error {
	s.checking.Lock()
	defer s.checking.Unlock()
	directory, err := s.checking.at(s.Directory)
	if err != nil {
		return err
	}
	s.checking.moved.Store(false)
	s.FineTimestamps = false
	for _, create := range samples {
		fine, err := measure(directory, create)
		if err == nil {
			s.FineTimestamps = fine
			return nil
		}
		if errors.Is(err, ErrCoarse) {
			return fmt.Errorf("%s: %w", s.Directory, err)
		}
	}
	return nil
}

// measure reports whether the file system has fine time stamps.
func measure(directory int, create func(directory int) (sample, error)) (fine bool, err error) {
	s, err := create(directory)
	if err != nil {
		return false, err
	}
	defer s.remove()
	if err := s.keepsMicroseconds(); err != nil {
		return false, err
	}
	return s.hasFineTimestamps()
}

// sample is a file to try the file system on. The first three fields are arguments of the system calls that
// end in "at".
type sample struct {
	directory int
	name      string
	flags     int
	remove    func()
}

// unnamedSample returns a file that disappears when it is closed. Linux can set its time since 5.8.
func unnamedSample(directory int) (sample, error) {
	file, err := openAt(directory, ".", unix.O_TMPFILE|unix.O_WRONLY, 0o600)
	if err != nil {
		return sample{}, err
	}
	return sample{int(file.Fd()), "", unix.AT_EMPTY_PATH, func() { file.Close() }}, nil
}

func namedSample(directory int) (sample, error) {
	name := temporaryName(rand.Text())
	file, err := openAt(directory, name, createNew, 0o600)
	if err != nil {
		return sample{}, err
	}
	return sample{directory, name, unix.AT_SYMLINK_NOFOLLOW, func() {
		file.Close()
		_ = unix.Unlinkat(directory, name, 0) // Another program may have removed it already.
	}}, nil
}

// keepsMicroseconds sets a time that is a multiple of no coarser unit, and compares it with the time that was
// kept.
func (s sample) keepsMicroseconds() error {
	const odd, last = 1_000_000_001, 999_999 * time.Microsecond // FAT has units of 2 s.
	stat, err := s.setAccessTime(unix.Timespec{Sec: odd, Nsec: int64(last)})
	if err != nil {
		return err
	}
	if lost := time.Unix(odd, int64(last)).Sub(time.Unix(stat.Atim.Unix())); lost != 0 {
		return fmt.Errorf("times in units of %v: %w", lost+time.Microsecond, ErrCoarse)
	}
	return nil
}

// hasFineTimestamps reports whether the file gets a new time for each change after its time was read, faster
// than any tick.
func (s sample) hasFineTimestamps() (bool, error) {
	var last unix.Timespec
	for range 8 {
		stat, err := s.setAccessTime(unix.Timespec{Nsec: unix.UTIME_NOW})
		if err != nil || stat.Ctim == last {
			return false, err
		}
		last = stat.Ctim
	}
	return true, nil
}

// setAccessTime sets the file's access time. The kernel then sets the time of the inode's last change
// (ctime), which is as exact as that of the last write (mtime). Setting mtime would wake the programs that
// watch the directory.
func (s sample) setAccessTime(at unix.Timespec) (stat unix.Stat_t, err error) {
	omit := unix.Timespec{Nsec: unix.UTIME_OMIT}
	err = retryEINTR(func() error {
		return unix.UtimesNanoAt(s.directory, s.name, []unix.Timespec{at, omit}, s.flags)
	})
	if err != nil {
		return stat, pkgerrors.Wrap(err, "set the time of a new file")
	}
	err = retryEINTR(func() error { return unix.Fstatat(s.directory, s.name, &stat, s.flags) })
	return stat, pkgerrors.Wrap(err, "read the time of a new file")
}
