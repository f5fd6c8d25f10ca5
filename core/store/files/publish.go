package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	pkgerrors "github.com/pkg/errors"
	"golang.org/x/sys/unix"

	"novcomet/core/event"
	"novcomet/core/store"
)

// Publish sets the time of the event's file, or creates the file. With data, Publish replaces the file in one
// step, and keeps its mode and group. The error wraps [store.ErrRefused] if the directory does not permit
// that, for example because it is sticky and the file belongs to another user.
//
// Publish locks the directory (flock), so that several processes give one event increasing stamps. It waits
// for the lock for up to 1 s. Without the lock, the error wraps [store.ErrUnavailable]: no event can be
// published.
//
// The kernel sets the time. A publisher that read a clock, and was delayed before it set the time, could
// publish into a second that has been answered already. But two stamps can be older than the moment at which
// readers first see them: a file with data gets its name after its stamp, and the old stamp plus 1 µs is a
// time that has passed. If such a stamp is older than [store.Timing].Lag then, Publish touches the file once
// more.
//
// Another user's file can only be given the kernel's time. So if its stamp was ahead of the clock, the new
// one is earlier.
func (s *Store) Publish(ctx context.Context, id event.ID, data []byte) (event.Stamp, error) {
	name := fileName(id)
	for range 3 { // Another program may create or delete the file, or the directory, between two steps.
		stamp, err := s.publishOnce(ctx, name, data)
		if !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENOENT) || errors.Is(err, store.ErrUnavailable) {
			return stamp, err
		}
	}
	return 0, fmt.Errorf("%q: another program keeps creating and deleting it", name)
}

func (s *Store) publishOnce(ctx context.Context, name string, data []byte) (event.Stamp, error) {
	directory, err := s.lock(ctx)
	if err != nil {
		return 0, err
	}
	defer s.unlock(directory)
	removeTemporary(directory)
	before, err := stampAt(directory, name)
	var stamp event.Stamp
	switch {
	case err != nil:
		return 0, err
	case before == 0 && s.NoCreate:
		return 0, fmt.Errorf("%q: %w", name, store.ErrNoEvent)
	case data != nil:
		stamp, err = s.publishData(directory, name, before, data)
	case before == 0:
		stamp, err = create(directory, name, s.fileMode())
	default:
		stamp, err = touchAfter(directory, name, before)
	}
	hasOlderStamp := data != nil || stamp == before+event.Microsecond
	if err != nil || !hasOlderStamp || event.StampOf(time.Now()).Sub(stamp) <= lag {
		return stamp, err
	}
	repeated, err := touchAfter(directory, name, stamp)
	if errors.Is(err, ErrCoarse) {
		return stamp, nil // The stamp only looks old, because the file system keeps no microseconds.
	}
	return repeated, err
}

// lock locks the directory that the path leads to, and returns its descriptor. The mutex keeps goroutines
// apart, because flock does not: all users of one descriptor share the lock. lock polls, because a flock call
// that blocks could not be interrupted. If the directory is replaced meanwhile, lock continues with the new
// one.
func (s *Store) lock(ctx context.Context) (directory int, err error) {
	const patience, longestPause = time.Second, 5 * time.Millisecond
	giveUp := time.Now().Add(patience)
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, longestPause) {
		s.publishing.Lock()
		late := time.Now().After(giveUp) // A delay after this line allows one more attempt.
		directory, err = s.publishing.at(s.Directory)
		if err == nil {
			err = retryEINTR(func() error { return unix.Flock(directory, unix.LOCK_EX|unix.LOCK_NB) })
			if err == nil {
				return directory, nil
			}
			err = fmt.Errorf("%w: %w", store.ErrUnavailable, pkgerrors.Wrapf(err, "lock the directory %s", s.Directory))
		}
		s.publishing.Unlock()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return -1, err
		}
		if late {
			return -1, fmt.Errorf("%w: %s: another program has locked the directory for %v",
				store.ErrUnavailable, s.Directory, patience)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return -1, fmt.Errorf("%s: %w", s.Directory, context.Cause(ctx))
		}
	}
}

func (s *Store) unlock(directory int) {
	if err := unix.Flock(directory, unix.LOCK_UN); err != nil {
		s.publishing.close() // This unlocks the directory, too.
	}
	s.publishing.Unlock()
}

// createNew are the flags of open(2) that create a file, and fail if it exists.
const createNew = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL

func create(directory int, name string, mode fs.FileMode) (event.Stamp, error) {
	file, err := openAt(directory, name, createNew, mode)
	if err != nil {
		return 0, pkgerrors.Wrapf(err, "create %q", name)
	}
	defer file.Close()
	if err := file.Chmod(mode); err != nil { // The umask may have removed bits.
		return 0, pkgerrors.Wrapf(err, "set the mode of %q", name)
	}
	return stampAt(directory, name)
}

// touch gives the file the kernel's time. That is permitted to everyone who may write the file, not only to
// its owner.
func touch(directory int, name string) error {
	now := unix.Timespec{Nsec: unix.UTIME_NOW}
	err := retryEINTR(func() error {
		return unix.UtimesNanoAt(directory, name, []unix.Timespec{now, now}, unix.AT_SYMLINK_NOFOLLOW)
	})
	return pkgerrors.Wrapf(err, "touch %q", name)
}

// touchAfter touches the file, and makes sure that its stamp is later than before.
func touchAfter(directory int, name string, before event.Stamp) (event.Stamp, error) {
	if err := touch(directory, name); err != nil {
		return 0, err
	}
	stamp, err := ensureLater(directory, name, before)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return touchUntilChanged(directory, name, before)
	}
	return stamp, err
}

// ensureLater sets the stamp to before plus 1 µs if the kernel's time is not later than before. That happens
// within one tick of the kernel's clock, when the clock was set back, and when a program has set the file's
// time ahead. If before was more than 2 s ahead, it is ignored; the delivery rules handle that.
func ensureLater(directory int, name string, before event.Stamp) (event.Stamp, error) {
	const ignoredAhead = 2 * time.Second
	stamp, err := stampAt(directory, name)
	if err != nil || stamp > before || before > stamp.Add(ignoredAhead) {
		return stamp, err
	}
	next := unix.NsecToTimespec(time.UnixMicro(int64(before + event.Microsecond)).UnixNano())
	omit := unix.Timespec{Nsec: unix.UTIME_OMIT}
	err = retryEINTR(func() error {
		return unix.UtimesNanoAt(directory, name, []unix.Timespec{omit, next}, unix.AT_SYMLINK_NOFOLLOW)
	})
	if err != nil {
		return 0, pkgerrors.Wrapf(err, "set the time of %q", name)
	}
	if stamp, err = stampAt(directory, name); err == nil && stamp <= before {
		err = fmt.Errorf("%q: %w", name, ErrCoarse)
	}
	return stamp, err
}

// touchUntilChanged touches another user's file, which can only be given the kernel's own time. The time
// changes with the tick after the next one at the latest.
func touchUntilChanged(directory int, name string, before event.Stamp) (event.Stamp, error) {
	const patience = 20 * time.Millisecond
	for giveUp := time.Now().Add(patience); ; {
		late := time.Now().After(giveUp) // A delay after this line allows one more attempt.
		if err := touch(directory, name); err != nil {
			return 0, err
		}
		stamp, err := stampAt(directory, name)
		if err != nil || stamp != before {
			return stamp, err
		}
		if late {
			return 0, fmt.Errorf("%q: another user's file, whose stamp did not change in %v", name, patience)
		}
	}
}
