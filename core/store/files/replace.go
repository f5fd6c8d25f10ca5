package files

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	pkgerrors "github.com/pkg/errors"
	"golang.org/x/sys/unix"

	"novcomet/core/event"
	"novcomet/core/store"
)

func (s *Store) publishData(directory int, name string, before event.Stamp, data []byte) (event.Stamp, error) {
	stamp, err := s.replaceFile(directory, name, before, data)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		err = fmt.Errorf("%w: %w", store.ErrRefused, err)
	}
	if err != nil {
		return 0, err
	}
	// The kernel set the stamp a moment before the file got its name. If a second ended in between, answers
	// about that second may have been sent already.
	if event.StampOf(time.Now()).Second() > stamp.Second() {
		return touchAfter(directory, name, stamp)
	}
	return stamp, nil
}

// replaceFile writes the data to a temporary file, and renames it. It returns the new file's stamp, which is
// later than before.
func (s *Store) replaceFile(
	directory int, name string, before event.Stamp, data []byte,
) (stamp event.Stamp, err error) {
	file, temporary, err := createTemporary(directory)
	if err != nil {
		return 0, pkgerrors.Wrap(err, "create a file for the data")
	}
	defer file.Close()
	defer func() {
		if err != nil {
			_ = unix.Unlinkat(directory, temporary, 0) // The first error is the one to report.
		}
	}()
	if err := s.copyModeAndGroup(directory, name, file); err != nil {
		return 0, err
	}
	if _, err := file.Write(data); err != nil {
		return 0, pkgerrors.Wrapf(err, "write the data of %q", name)
	}
	// The stamp must be the time of now, not of the write's beginning. Otherwise a poll that arrived in
	// between would treat it as old.
	if stamp, err = touchAfter(directory, temporary, before); err != nil {
		return 0, fmt.Errorf("%q: %w", name, err)
	}
	err = retryEINTR(func() error { return unix.Renameat(directory, temporary, directory, name) })
	return stamp, pkgerrors.Wrapf(err, "replace %q", name)
}

// temporaryName returns a name that is no event's, because no id starts with a dot.
func temporaryName(unique string) string { return ".novcomet-" + unique }

// createTemporary creates the file for the data. All publications of one user use the same name, and the lock
// keeps them apart. So if the file exists already, its publisher was killed, and createTemporary removes the
// file. That is not permitted if the file is another user's in a sticky directory. Then the new file gets a
// random name.
func createTemporary(directory int) (file *os.File, name string, err error) {
	usual := temporaryName(strconv.Itoa(os.Geteuid()))
	for _, name = range []string{usual, usual, temporaryName(rand.Text())} {
		file, err = openAt(directory, name, createNew, 0o600)
		if !errors.Is(err, unix.EEXIST) {
			break
		}
		_ = unix.Unlinkat(directory, name, 0)
	}
	return file, name, err
}

// copyModeAndGroup gives the new file the mode and the group of the file with this name. If there is none,
// the new file gets the store's mode.
func (s *Store) copyModeAndGroup(directory int, name string, file *os.File) error {
	var old, created unix.Stat_t
	mode := s.fileMode()
	switch err := unix.Fstatat(directory, name, &old, unix.AT_SYMLINK_NOFOLLOW); {
	case err == nil:
		mode = fs.FileMode(old.Mode)
		if err := unix.Fstat(int(file.Fd()), &created); err != nil {
			return pkgerrors.Wrap(err, "read the group of a new file")
		}
		if old.Gid != created.Gid {
			if err := file.Chown(-1, int(old.Gid)); err != nil {
				return pkgerrors.Wrapf(err, "keep the group of %q", name)
			}
		}
	case !errors.Is(err, unix.ENOENT):
		return pkgerrors.Wrapf(err, "read the mode of %q", name)
	}
	return pkgerrors.Wrapf(file.Chmod(mode.Perm()), "set the mode of %q", name)
}
