package core

import (
	"bytes"
	"context"
	"crypto/rand"
	stderrors "errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"
)

var _ Carrier = (*Files)(nil)

// PublishData replaces the event's file by another one, in one step: who reads it has the old content or the new. It keeps the
// file's mode and group. Where the directory does not allow that, for it is sticky and the file another user's, the error
// wraps [ErrRefused].
func (f *Files) PublishData(ctx context.Context, id ID, data []byte) (Stamp, error) {
	return f.locked(ctx, func(directory int) (Stamp, error) { return f.publishData(directory, fileName(id), data) })
}

func (f *Files) publishData(directory int, name string, data []byte) (Stamp, error) {
	before, err := stampAt(directory, name)
	if err != nil {
		return 0, err
	}
	if before == 0 && f.OnlyExisting {
		return 0, errors.WithMessagef(ErrNoEvent, "%q", name)
	}
	stamp, err := f.replace(directory, name, before, data)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		err = fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err != nil {
		return 0, err
	}
	// Between the kernel's setting of the stamp and the file's getting its name some time has passed. Where that was the end of a
	// second, answers about it may be on their way already.
	if StampOf(time.Now()).Second() > stamp.Second() {
		return touchLater(directory, name, stamp)
	}
	return stamp, nil
}

// replace puts a file with the data in the place of the one with that name, and returns its stamp, later than before.
func (f *Files) replace(directory int, name string, before Stamp, data []byte) (stamp Stamp, err error) {
	temporary := ".novcomet-" + rand.Text() // No event's name starts with a dot.
	file, err := openAt(directory, temporary, exclusive, 0o600)
	if err != nil {
		return 0, errors.Wrap(err, "create a file for the data")
	}
	defer file.Close()
	defer func() {
		if err != nil {
			_ = unix.Unlinkat(directory, temporary, 0) // What was wrong is more than that.
		}
	}()
	if err := f.like(directory, name, file); err != nil {
		return 0, err
	}
	if _, err := file.Write(data); err != nil {
		return 0, errors.Wrapf(err, "write the data of %q", name)
	}
	// The stamp is that of now, not of when the writing began: a poll that came meanwhile must not take it for old.
	if stamp, err = touchLater(directory, temporary, before); err != nil {
		return 0, errors.WithMessagef(err, "%q", name)
	}
	err = ignoringEINTR(func() error { return unix.Renameat(directory, temporary, directory, name) })
	return stamp, errors.Wrapf(err, "replace %q", name)
}

// like gives the new file the mode and the group of the one that it is going to replace.
func (f *Files) like(directory int, name string, file *os.File) error {
	var old, fresh unix.Stat_t
	mode := f.mode()
	switch err := unix.Fstatat(directory, name, &old, unix.AT_SYMLINK_NOFOLLOW); {
	case err == nil:
		mode = fs.FileMode(old.Mode)
		if err := unix.Fstat(int(file.Fd()), &fresh); err != nil {
			return errors.Wrap(err, "look at a new file")
		}
		if old.Gid != fresh.Gid {
			if err := file.Chown(-1, int(old.Gid)); err != nil {
				return errors.Wrapf(err, "keep the group of %q", name)
			}
		}
	case !errors.Is(err, unix.ENOENT):
		return errors.Wrapf(err, "look at %q", name)
	}
	return errors.Wrapf(file.Chmod(mode.Perm()), "set the mode of %q", name)
}

// Data reads the files. One that was changed a moment ago may be half written: it is read again until it stays the same for a
// millisecond, which is far longer than a write takes from its first byte to its last, or else left out. Its stamp is not the one that
// is being told, so it will be told of in its turn. (It is not left to that turn as a whole: under steady publications the
// file is never old.)
func (f *Files) Data(_ context.Context, ids []ID, limit int) ([]Content, error) {
	const attempts, pause = 4, time.Millisecond
	directory, err := f.open()
	if err != nil {
		return nil, err
	}
	defer unix.Close(directory)
	data := make([]Content, len(ids))
	last := make([]content, len(ids))
	again := make([]int, len(ids))
	for i := range again {
		again[i] = i
	}
	for attempt := 0; attempt < attempts && len(again) > 0; attempt++ {
		if attempt > 0 {
			time.Sleep(pause)
		}
		young := again[:0]
		for _, i := range again {
			read := contentAt(directory, fileName(ids[i]), limit)
			if !read.complete() && !(attempt > 0 && read.equals(last[i])) {
				last[i] = read
				young = append(young, i)
				continue
			}
			data[i] = Content{read.data, read.err}
		}
		again = young
	}
	return data, nil
}

// content is what was in a file when it was read.
type content struct {
	data    []byte // nil, if it is too much, or can't be read
	err     error  // why it is not to be had
	stamp   Stamp
	changed bool // while it was read
}

// complete reports whether all of a write must be there, for it is too long ago.
func (c content) complete() bool {
	return !c.changed && c.stamp <= StampOf(time.Now()).Add(-written)
}

func (c content) equals(other content) bool {
	return !c.changed && c.stamp == other.stamp && bytes.Equal(c.data, other.data)
}

// errUnreadable is about a file such as mktemp makes: its mode is 0600.
var errUnreadable = stderrors.New("permission denied to read the file: chmod 0644 it, or chmod 0640 it and give it a group that this program's user " +
	"is in; then touch it")

func contentAt(directory int, name string, limit int) content {
	before, err := stampAt(directory, name)
	if err != nil || before == 0 {
		return content{}
	}
	// It was a regular file; should it be another thing by now, nobody is kept waiting by it.
	file, err := openAt(directory, name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, unix.ENOENT):
		return content{changed: true}
	case errors.Is(err, unix.EACCES):
		return content{err: errUnreadable}
	case err != nil:
		return content{err: errors.Wrap(err, "open the file")}
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil || !info.Mode().IsRegular():
		return content{}
	case info.Size() > int64(limit):
		return content{err: ErrTooLong}
	}
	data := make([]byte, info.Size()+1)
	n, err := io.ReadFull(file, data)
	switch {
	case err == nil: // It has grown.
		return content{changed: true}
	case !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF):
		return content{err: errors.Wrap(err, "read the file")}
	}
	after, err := file.Stat()
	changed := err != nil || StampOf(after.ModTime()) != before || after.Size() != int64(n)
	return content{data: data[:n], stamp: before, changed: changed}
}
