package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	pkgerrors "github.com/pkg/errors"
	"golang.org/x/sys/unix"

	"novcomet/core/event"
	"novcomet/core/store"
)

// Data reads the files. A file that was changed a moment ago may be half written. Such a file is read again,
// up to three times, until it stays the same for a millisecond: far longer than a write lasts from its first
// byte to its last. If the file keeps changing, its data is left out. It then has a later stamp than the one
// that is being delivered, and the data goes with that one. (Leaving out every file that was changed a moment
// ago would be simpler. But under steady publications, that would be every file.)
//
// A file that the system fails to read is read again, too. If it keeps failing, the data is left out with the
// error. Without a free descriptor, no file can be read; then the whole store is unavailable.
func (s *Store) Data(_ context.Context, ids []event.ID, limit int) ([]store.Content, error) {
	const attempts, pause = 4, time.Millisecond
	directory, err := openDirectory(s.Directory)
	if err != nil {
		return nil, err
	}
	defer directory.Close()
	contents := make([]store.Content, len(ids))
	last := make([]reading, len(ids))
	pending := make([]int, len(ids))
	for i := range pending {
		pending[i] = i
	}
	for attempt := 0; attempt < attempts && len(pending) > 0; attempt++ {
		if attempt > 0 {
			time.Sleep(pause)
		}
		unfinished := pending[:0]
		for _, i := range pending {
			r := readAt(int(directory.Fd()), fileName(ids[i]), limit)
			if !r.isOld() && !(attempt > 0 && r.equals(last[i])) {
				last[i] = r
				unfinished = append(unfinished, i)
				continue
			}
			contents[i] = store.Content{Data: r.data, Err: r.err}
		}
		pending = unfinished
	}
	for _, i := range pending {
		err := last[i].err
		if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
			// Data that is left out is never delivered. The callers of an unavailable store try again.
			return nil, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
		}
		contents[i].Err = err
	}
	return contents, nil
}

// reading is the result of reading one file.
type reading struct {
	data      []byte // nil if there is no file, or err is set
	err       error  // why the data is left out
	stamp     event.Stamp
	uncertain bool // The file was changed while it was read, or the system failed to read it.
}

func failed(err error, attempted string) reading {
	return reading{err: pkgerrors.Wrap(err, attempted), uncertain: true}
}

// isOld reports whether the last write began so long ago that it must have ended.
func (r reading) isOld() bool {
	return !r.uncertain && r.stamp <= event.StampOf(time.Now()).Add(-writeTime)
}

func (r reading) equals(other reading) bool {
	return !r.uncertain && r.stamp == other.stamp && bytes.Equal(r.data, other.data)
}

// errUnreadable is typical of a file made by mktemp, whose mode is 0600.
var errUnreadable = errors.New("permission denied to read the file: chmod 0644 it, " +
	"or chmod 0640 it and give it a group that this program's user is in; then touch it")

func readAt(directory int, name string, limit int) reading {
	before, err := stampAt(directory, name)
	switch {
	case err != nil && !errors.Is(err, errNotRegular):
		return reading{err: err, uncertain: true}
	case before == 0:
		return reading{}
	}
	// The file was regular a moment ago. If a FIFO has replaced it, O_NONBLOCK keeps open from waiting for a
	// writer.
	file, err := openAt(directory, name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, unix.ENOENT):
		return reading{uncertain: true}
	case errors.Is(err, unix.EACCES):
		return reading{err: errUnreadable}
	case err != nil:
		return failed(err, "open the file")
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil || !info.Mode().IsRegular():
		return reading{}
	case info.Size() > int64(limit):
		return reading{err: store.ErrTooLong}
	}
	data := make([]byte, info.Size()+1)
	n, err := io.ReadFull(file, data)
	switch {
	case err == nil: // The file has grown.
		return reading{uncertain: true}
	case !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF):
		return failed(err, "read the file")
	}
	after, err := file.Stat()
	changed := err != nil || event.StampOf(after.ModTime()) != before || after.Size() != int64(n)
	return reading{data: data[:n], stamp: before, uncertain: changed}
}
