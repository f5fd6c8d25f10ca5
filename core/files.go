package core

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"
)

// Files is the Store of comet.php: an event is a file ID.comet directly in one directory, its stamp the file's mtime.
// So any program publishes that touches or writes the file.
//
// Only regular files count. A directory, a FIFO, a socket or a link has no stamp, and is neither followed, opened nor
// touched. The directory is opened anew for each look, so that it may be replaced at any time.
//
// A program must leave the time to the kernel. PHP's touch($file, time()) and Perl's utime(time, time, $file) set whole seconds, so
// of several publications in one second only the first is seen.
type Files struct {
	// Directory must be on a local file system that keeps the microseconds of a file's time; /dev/shm was comet.php's.
	Directory string
	// Mode is that of new files, whatever the umask; 0: 0664. comet.php's PHP had 0644, so that only its own user could publish.
	Mode fs.FileMode
	// OnlyExisting says that nobody makes an event by publishing it: who may publish could else fill the memory with files.
	OnlyExisting bool
	// Unwatched says that changes are only to be seen when it is time to look, and no inotify instance is to be taken.
	Unwatched bool
	// Fine says that the kernel gives every change that was looked at a stamp of its own, as Linux 6.13 and later do on
	// most file systems. Elsewhere stamps move with the kernel's tick, and an answer waits until its newest stamp is
	// 10 ms old. [Files.Probe] finds out.
	Fine bool
}

var (
	_ Store = (*Files)(nil)
	_ Timed = (*Files)(nil)
)

// Files get their stamps from the kernel's coarse clock, which moves 100 to 1000 times a second. A write changes the stamp before it
// changes the content, so one has to be given the time it takes: from the stamp on, which is up to a tick older than the write.
const (
	tick    = 10 * time.Millisecond
	written = tick + 10*time.Millisecond
)

// Timing is that of the kernel's clock.
func (f *Files) Timing() Timing {
	const lag = 20 * time.Millisecond
	if f.Fine {
		return Timing{Lag: lag, Write: written}
	}
	return Timing{Settle: tick, Lag: lag, Write: written}
}

// Stamps looks at the files, with one system call each.
func (f *Files) Stamps(_ context.Context, ids []ID) (Snapshot, error) {
	directory, err := f.open()
	if err != nil {
		return Snapshot{}, err
	}
	defer unix.Close(directory)
	before := time.Now()
	snapshot := Snapshot{Now: StampOf(before), Stamps: make([]Stamp, len(ids))}
	for i, id := range ids {
		stamp, err := stampAt(directory, fileName(id))
		if err != nil && !errors.Is(err, errNotRegular) {
			return Snapshot{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		snapshot.Stamps[i] = stamp
	}
	after := time.Now()
	snapshot.Until(StampOf(after), after.Sub(before))
	return snapshot, nil
}

func (f *Files) open() (directory int, err error) {
	err = ignoringEINTR(func() (err error) {
		directory, err = unix.Open(f.Directory, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return -1, fmt.Errorf("%w: %w", ErrUnavailable, errors.Wrapf(err, "open the directory %s", f.Directory))
	}
	return directory, nil
}

func (f *Files) mode() fs.FileMode { return cmp.Or(f.Mode.Perm(), 0o664) }

func fileName(id ID) string { return id.String() + ".comet" }

// stampAt returns the file's stamp, 0 where there is no such file.
func stampAt(directory int, name string) (Stamp, error) {
	var stat unix.Stat_t
	err := ignoringEINTR(func() error {
		return unix.Fstatat(directory, name, &stat, unix.AT_SYMLINK_NOFOLLOW)
	})
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENAMETOOLONG): // Some file systems have shorter names.
		return 0, nil
	case err != nil:
		return 0, errors.Wrapf(err, "look at %q", name)
	case stat.Mode&unix.S_IFMT != unix.S_IFREG:
		return 0, errors.WithMessagef(errNotRegular, "%q", name)
	}
	return StampOf(time.Unix(stat.Mtim.Unix())), nil
}

// openAt opens a file of the directory, and not what a link leads to.
func openAt(directory int, name string, flags int, mode fs.FileMode) (*os.File, error) {
	var file int
	err := ignoringEINTR(func() (err error) {
		file, err = unix.Openat(directory, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, uint32(mode.Perm()))
		return err
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(file), name), nil
}

func ignoringEINTR(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
