package main

import (
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"
)

// slots limit how many processes of a user wait. A slot is an empty file, and belongs to the process that has
// locked it. The kernel frees the slot when the process ends, also if it is killed. Taking a free slot costs
// two system calls. The files stay. If a program that cleans the directory removes them, the processes that
// have locked them no longer count.
type slots struct {
	directory string // may be one in which every user can write, such as /tmp
	count     int    // 0: no limit
}

// take takes a slot until this process ends, and reports whether one was free. An error says why no process
// can use any of the slots.
func (s slots) take() (ok bool, err error) {
	if s.count == 0 {
		return true, nil
	}
	user, first, inUse := effectiveUser(), rand.IntN(s.count), false
	for i := range s.count {
		path := fmt.Sprintf("%s/comet-cgi-%d-%d", s.directory, user, (first+i)%s.count)
		switch lockErr := lock(path, user); {
		case lockErr == nil:
			return true, nil
		case errors.Is(lockErr, unix.EWOULDBLOCK):
			inUse = true
		default:
			err = fmt.Errorf("cgi.max_waiting: %s: %w", path, lockErr)
		}
	}
	if inUse {
		return false, nil
	}
	return false, err
}

// lock opens and locks a file of this user, and leaves it open. It never waits and never follows a link. With
// O_NOATIME, the kernel refuses to open another user's file, except for root. Only a file that is open for
// writing can be locked on NFS and SMB.
func lock(path string, user int) error {
	const flags = unix.O_RDWR | unix.O_CREAT | unix.O_NOATIME | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	file, err := unix.Open(path, flags, 0o600)
	if err != nil {
		return errors.Wrap(err, "open")
	}
	if user == 0 {
		err = checkOwner(file)
	}
	if err == nil {
		err = errors.Wrap(unix.Flock(file, unix.LOCK_EX|unix.LOCK_NB), "lock")
	}
	if err != nil {
		_ = unix.Close(file) // The first error counts.
	}
	return err
}

// checkOwner returns an error if a file does not belong to root.
func checkOwner(file int) error {
	var stat unix.Stat_t
	if err := unix.Fstat(file, &stat); err != nil {
		return errors.Wrap(err, "fstat")
	}
	if stat.Uid != 0 {
		return fmt.Errorf("it belongs to user %d: %w", stat.Uid, os.ErrPermission)
	}
	return nil
}

// effectiveUser returns the number of this process's user. The kernel passes it to every program, so that
// reading it costs no system call.
func effectiveUser() int {
	const atEUID = 12 // AT_EUID of <linux/auxvec.h>
	vector, _ := unix.Auxv()
	for _, entry := range vector {
		if entry[0] == atEUID {
			return int(entry[1])
		}
	}
	return unix.Geteuid()
}
