package files

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

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
	return stamp, err
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

// usualName is the name of the file for the data, the same for all publications of one user. The lock keeps
// them apart.
func usualName() string { return temporaryName(strconv.Itoa(os.Geteuid())) }

// removeTemporary removes the file of a publication whose program was killed. Each publication begins with
// it, with data or not. The caller has the lock, so nobody is writing the file.
func removeTemporary(directory int) {
	_ = unix.Unlinkat(directory, usualName(), 0) // Mostly, there is none.
}

// createTemporary creates the file for the data. If the usual one exists, it is another user's in a sticky
// directory, which cannot be removed. Then the new file gets a random name.
func createTemporary(directory int) (file *os.File, name string, err error) {
	for _, name = range []string{usualName(), temporaryName(rand.Text())} {
		if file, err = openAt(directory, name, createNew, 0o600); !errors.Is(err, unix.EEXIST) {
			break
		}
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
