package files

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	pkgerrors "github.com/pkg/errors"
	"golang.org/x/sys/unix"

	"novcomet/core/store"
)

// directory is the events' directory. It stays open between calls. If goroutines share it, only the holder of
// the lock may use it.
type directory struct {
	sync.Mutex
	file          *os.File // nil: it is not open
	device, inode uint64
	moved         atomic.Bool // The path has led to more than one file system.
}

// at returns the descriptor of the directory that the path leads to. It opens that directory unless it is
// open already: the earlier one may have been replaced, moved away, removed or hidden by a mount. No other
// directory has the device and the inode of one that is open.
func (d *directory) at(path string) (fd int, err error) {
	if d.isAt(path) {
		return int(d.file.Fd()), nil
	}
	d.close()
	if d.file, err = openDirectory(path); err != nil {
		return -1, err
	}
	fd = int(d.file.Fd())
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		d.close()
		return -1, fmt.Errorf("%w: %w", store.ErrUnavailable, pkgerrors.Wrapf(err, "read the inode of %s", path))
	}
	if d.inode != 0 && d.device != stat.Dev {
		d.moved.Store(true)
	}
	d.device, d.inode = stat.Dev, stat.Ino
	return fd, nil
}

// isAt reports whether the path leads to the open directory.
func (d *directory) isAt(path string) bool {
	if d.file == nil {
		return false
	}
	var stat unix.Stat_t
	err := retryEINTR(func() error { return unix.Stat(path, &stat) })
	return err == nil && stat.Dev == d.device && stat.Ino == d.inode
}

func (d *directory) close() {
	d.file.Close()
	d.file = nil
}

func openDirectory(path string) (*os.File, error) {
	var fd int
	err := retryEINTR(func() (err error) {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		err = pkgerrors.Wrapf(err, "open the directory %s", path)
		return nil, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}
