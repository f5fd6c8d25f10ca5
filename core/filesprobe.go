package core

import (
	"crypto/rand"
	stderrors "errors"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"
)

// ErrCoarse is wrapped by the error of [Files.Probe] where the file system gives several publications the same time.
var ErrCoarse = stderrors.New("the file system does not keep the microseconds of a file's time; put the events into /dev/shm or /run")

// Probe checks that the directory can be opened and that its file system keeps microseconds; ErrCoarse: it does not. It also
// finds out whether stamps are Fine there. If it may not create a file to try this on, it takes them for coarse.
//
// The file has no name (O_TMPFILE), and a program that watches the directory for publications is not woken. Where the file system
// has no such files, it has a name that begins with a dot, for a moment.
func (f *Files) Probe() error { return f.probe(unnamedSample, namedSample) }

func (f *Files) probe(samples ...func(directory int) (sample, error)) error {
	directory, err := f.open()
	if err != nil {
		return err
	}
	defer unix.Close(directory)
	f.Fine = false
	for _, create := range samples {
		fine, err := measure(directory, create)
		if err == nil || errors.Is(err, ErrCoarse) {
			f.Fine = fine
			return errors.WithMessagef(err, "%s", f.Directory)
		}
	}
	return nil
}

// measure reports whether stamps are Fine.
func measure(directory int, create func(directory int) (sample, error)) (fine bool, err error) {
	s, err := create(directory)
	if err != nil {
		return false, err
	}
	defer s.remove()
	if err := s.keepsMicroseconds(); err != nil {
		return false, err
	}
	return s.isFine()
}

// sample is a file to try things on, named as the system calls that end in -at name it.
type sample struct {
	directory int
	name      string
	flags     int
	remove    func()
}

// unnamedSample is a file that ends when it is closed. Linux sets its time since 5.8.
func unnamedSample(directory int) (sample, error) {
	file, err := openAt(directory, ".", unix.O_TMPFILE|unix.O_WRONLY, 0o600)
	if err != nil {
		return sample{}, err
	}
	return sample{int(file.Fd()), "", unix.AT_EMPTY_PATH, func() { file.Close() }}, nil
}

func namedSample(directory int) (sample, error) {
	name := ".novcomet-" + rand.Text()
	file, err := openAt(directory, name, exclusive, 0o600)
	if err != nil {
		return sample{}, err
	}
	return sample{directory, name, unix.AT_SYMLINK_NOFOLLOW, func() {
		file.Close()
		_ = unix.Unlinkat(directory, name, 0) // If somebody has removed it already, so much the better.
	}}, nil
}

// keepsMicroseconds sets a time that no coarser unit divides, and looks how much of it is left.
func (s sample) keepsMicroseconds() error {
	const odd, last = 1_000_000_001, 999_999 * time.Microsecond // FAT has units of 2 s.
	stat, err := s.access(unix.Timespec{Sec: odd, Nsec: int64(last)})
	if err != nil {
		return err
	}
	if lost := time.Unix(odd, int64(last)).Sub(time.Unix(stat.Atim.Unix())); lost != 0 {
		return errors.WithMessagef(ErrCoarse, "times in units of %v", lost+time.Microsecond)
	}
	return nil
}

// isFine reports whether the file gets another time each time it is changed and looked at, faster than any tick.
func (s sample) isFine() (bool, error) {
	var last unix.Timespec
	for range 8 {
		stat, err := s.access(unix.Timespec{Nsec: unix.UTIME_NOW})
		if err != nil || stat.Ctim == last {
			return false, err
		}
		last = stat.Ctim
	}
	return true, nil
}

// access sets the time of access, and with it the kernel sets that of the change of the inode (ctime). They are as fine as that of
// the last write (mtime). But setting mtime would wake every program that watches the directory for publications.
func (s sample) access(at unix.Timespec) (stat unix.Stat_t, err error) {
	omit := unix.Timespec{Nsec: unix.UTIME_OMIT}
	err = ignoringEINTR(func() error {
		return unix.UtimesNanoAt(s.directory, s.name, []unix.Timespec{at, omit}, s.flags)
	})
	if err != nil {
		return stat, err
	}
	err = ignoringEINTR(func() error { return unix.Fstatat(s.directory, s.name, &stat, s.flags) })
	return stat, err
}
