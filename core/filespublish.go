package core

import (
	"context"
	"io/fs"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"
)

// Publish touches the event's file, or creates it. It holds a lock on the directory meanwhile (flock, for which it waits
// 1 s at the most), so that of several processes that publish the same event each gives it a later stamp.
//
// The kernel sets the time, not the publisher: one that is delayed between reading a clock and setting the stamp could
// else publish into a second that has been answered already.
func (f *Files) Publish(ctx context.Context, id ID) (Stamp, error) {
	return f.locked(ctx, func(directory int) (Stamp, error) { return f.touchOrCreate(directory, fileName(id)) })
}

// locked changes something in the directory while nobody else does.
func (f *Files) locked(ctx context.Context, change func(directory int) (Stamp, error)) (Stamp, error) {
	directory, err := f.open()
	if err != nil {
		return 0, err
	}
	defer unix.Close(directory) // releases the lock, too
	if err := lock(ctx, directory); err != nil {
		return 0, errors.WithMessagef(err, "%s", f.Directory)
	}
	return change(directory)
}

// lock waits for the lock by asking again and again: a flock that blocks could not be given up.
func lock(ctx context.Context, directory int) error {
	const patience, longestPause = time.Second, 5 * time.Millisecond
	giveUp := time.Now().Add(patience)
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, longestPause) {
		err := ignoringEINTR(func() error { return unix.Flock(directory, unix.LOCK_EX|unix.LOCK_NB) })
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return errors.Wrap(err, "lock the directory")
		}
		if time.Now().After(giveUp) {
			return errors.Errorf("another program has locked the directory for %v", patience)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (f *Files) touchOrCreate(directory int, name string) (Stamp, error) {
	for range 3 { // Somebody else may create or delete the file between two of our steps.
		before, err := stampAt(directory, name)
		if err != nil {
			return 0, err
		}
		var stamp Stamp
		switch {
		case before != 0:
			stamp, err = touchLater(directory, name, before)
		case f.OnlyExisting:
			return 0, errors.WithMessagef(ErrNoEvent, "%q", name)
		default:
			stamp, err = create(directory, name, f.mode())
		}
		if !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENOENT) {
			return stamp, err
		}
	}
	return 0, errors.Errorf("%q: another program keeps creating and deleting it", name)
}

// exclusive creates a file that was not there.
const exclusive = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL

func create(directory int, name string, mode fs.FileMode) (Stamp, error) {
	file, err := openAt(directory, name, exclusive, mode)
	if err != nil {
		return 0, errors.Wrapf(err, "create %q", name)
	}
	defer file.Close()
	if err := file.Chmod(mode); err != nil { // The umask may have taken something away.
		return 0, errors.Wrapf(err, "set the mode of %q", name)
	}
	return stampAt(directory, name)
}

// touch gives the file the kernel's time. It needs no ownership, only that the file may be written.
func touch(directory int, name string) error {
	now := unix.Timespec{Nsec: unix.UTIME_NOW}
	return ignoringEINTR(func() error {
		return unix.UtimesNanoAt(directory, name, []unix.Timespec{now, now}, unix.AT_SYMLINK_NOFOLLOW)
	})
}

// touchLater touches the file so that its stamp is later than before.
func touchLater(directory int, name string, before Stamp) (Stamp, error) {
	if err := touch(directory, name); err != nil {
		return 0, errors.Wrapf(err, "touch %q", name)
	}
	stamp, err := keepLater(directory, name, before)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return touchUntilChanged(directory, name, before)
	}
	return stamp, err
}

// keepLater makes the stamp that the kernel has given the file the one after before, where it is not later by itself: within
// one tick of the kernel's clock, and where that was set back or somebody has set the file ahead.
func keepLater(directory int, name string, before Stamp) (Stamp, error) {
	const far = 2 * time.Second // A stamp that is further ahead is left behind; polls are answered all the same.
	stamp, err := stampAt(directory, name)
	if err != nil || stamp > before || before > stamp.Add(far) {
		return stamp, err
	}
	next := unix.NsecToTimespec(time.UnixMicro(int64(before + microsecond)).UnixNano())
	omit := unix.Timespec{Nsec: unix.UTIME_OMIT}
	err = ignoringEINTR(func() error {
		return unix.UtimesNanoAt(directory, name, []unix.Timespec{omit, next}, unix.AT_SYMLINK_NOFOLLOW)
	})
	if err != nil {
		return 0, errors.Wrapf(err, "set the time of %q", name)
	}
	if stamp, err = stampAt(directory, name); err == nil && stamp <= before {
		err = errors.WithMessagef(ErrCoarse, "%q", name)
	}
	return stamp, err
}

// touchUntilChanged is for another user's file, on which only the kernel's own time can be set: the tick after the next
// one at the latest makes it another.
func touchUntilChanged(directory int, name string, before Stamp) (Stamp, error) {
	const patience = 20 * time.Millisecond
	for giveUp := time.Now().Add(patience); ; {
		if err := touch(directory, name); err != nil {
			return 0, errors.Wrapf(err, "touch %q", name)
		}
		stamp, err := stampAt(directory, name)
		if err != nil || stamp != before {
			return stamp, err
		}
		if time.Now().After(giveUp) {
			return 0, errors.Errorf("%q: another user's file, whose stamp did not change in %v", name, patience)
		}
	}
}
