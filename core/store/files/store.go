// Package files is the store of comet.php. An event is the file ID.comet in one directory, and its stamp is
// the file's modification time. So every program that touches or writes such a file publishes. The package
// needs Linux.
//
// Only regular files are events. A directory, a FIFO, a socket or a link has no stamp, and the store never
// follows, opens or touches one.
//
// The directory stays open, so its file system cannot be unmounted meanwhile. It may be replaced at any time:
// each call makes sure that it uses the directory that the path leads to.
//
// A program that publishes should let the kernel set the time. PHP's touch($file, time()) and Perl's
// utime(time, time, $file) set whole seconds: of several publications in one second, only the first is
// noticed.
package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	pkgerrors "github.com/pkg/errors"
	"golang.org/x/sys/unix"

	"novcomet/core/event"
	"novcomet/core/store"
)

// Store keeps events in a directory. Only Directory must be set.
type Store struct {
	// Directory contains the files. It must be on a local file system that keeps the microseconds of a file's
	// time. comet.php used /dev/shm.
	Directory string
	// Mode is the mode of new files, whatever the umask. 0 means 0664. comet.php's files had 0644, so that
	// only PHP's own user could publish.
	Mode fs.FileMode
	// NoCreate refuses to publish an event that has no file. Otherwise everyone who may publish can fill the
	// memory with files.
	NoCreate bool
	// NoWatch makes Watch return errors.ErrUnsupported. Then no inotify instance is used, and only the
	// periodic check finds changes.
	NoWatch bool
	// FineTimestamps says that a file gets a new time for each change after its time was read, as on most
	// file systems of Linux 6.13 and later. Elsewhere times advance with the kernel's tick, and an answer
	// waits until its newest stamp is 10 ms old. [Store.Probe] sets this field. It is ignored once the
	// directory is on another file system.
	FineTimestamps bool

	checking, publishing directory
}

var _ store.Store = (*Store)(nil)

const (
	// tick is the longest step of the kernel's coarse clock, which file times are read from. The clock
	// advances 100 to 1000 times a second.
	tick = 10 * time.Millisecond
	// writing is the longest time between the two steps of a write: it sets the file's time, then it changes
	// the content.
	writing = 10 * time.Millisecond
	// writeTime is how old a stamp is when the write that set it has certainly ended. The time that a write
	// sets is up to one tick old already.
	writeTime = tick + writing
	// lag is how old a stamp may be when readers first see it.
	lag = 20 * time.Millisecond
)

// Timing returns how exact the kernel's file times are.
func (s *Store) Timing() store.Timing {
	timing := store.Timing{Lag: lag, Write: writing}
	timing.Write += tick // rule: data-write-may-begin-a-tick-after-its-stamp
	if !s.FineTimestamps || s.checking.moved.Load() {
		timing.Resolution = tick // rule: coarse-stamp-settles-after-a-tick
	}
	return timing
}

// Close closes the directory.
func (s *Store) Close() error {
	s.checking.close()
	s.publishing.close()
	return nil
}

// Check reads the time of each file, with one system call per file. It reads the clock before it finds out
// where the path leads: a publication into a directory that replaces this one meanwhile is later than Now.
func (s *Store) Check(_ context.Context, ids []event.ID) (store.Snapshot, error) {
	s.checking.Lock()
	defer s.checking.Unlock()
	before := time.Now()
	directory, err := s.checking.at(s.Directory)
	if err != nil {
		return store.Snapshot{}, err
	}
	snapshot := store.Snapshot{Now: event.StampOf(before), Stamps: make([]event.Stamp, len(ids))}
	failed := 0
	for i, id := range ids {
		stamp, err := stampAt(directory, fileName(id))
		if err != nil && !errors.Is(err, errNotRegular) {
			stamp = store.Unknown
			snapshot.Partial = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
			failed++
		}
		snapshot.Stamps[i] = stamp
	}
	if failed > 0 && failed == len(ids) {
		return store.Snapshot{}, snapshot.Partial
	}
	after := time.Now()
	snapshot.CorrectNow(event.StampOf(after), after.Sub(before))
	return snapshot, nil
}

func (s *Store) fileMode() fs.FileMode { return cmp.Or(s.Mode.Perm(), 0o664) }

func fileName(id event.ID) string { return id.String() + ".comet" }

// errNotRegular means that a directory, FIFO, socket or link has the name of an event's file.
var errNotRegular = errors.New("not a regular file")

// stampAt returns the file's stamp, or 0 if there is no such file.
func stampAt(directory int, name string) (event.Stamp, error) {
	var stat unix.Stat_t
	err := retryEINTR(func() error {
		return unix.Fstatat(directory, name, &stat, unix.AT_SYMLINK_NOFOLLOW)
	})
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENAMETOOLONG): // Some file systems allow only shorter names.
		return 0, nil
	case err != nil:
		return 0, pkgerrors.Wrapf(err, "read the time of %q", name)
	case stat.Mode&unix.S_IFMT != unix.S_IFREG:
		return 0, fmt.Errorf("%q: %w", name, errNotRegular)
	}
	return event.StampOf(time.Unix(stat.Mtim.Unix())), nil
}

// openAt opens a file in the directory. It does not follow a link.
func openAt(directory int, name string, flags int, mode fs.FileMode) (*os.File, error) {
	var file int
	err := retryEINTR(func() (err error) {
		file, err = unix.Openat(directory, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, uint32(mode.Perm()))
		return err
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(file), name), nil
}

func retryEINTR(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
