package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"golang.org/x/sys/unix"
)

// places limit how many processes of a user wait. A place is a file, and the process that has locked it has
// the place. The kernel frees the place when the process ends, however that happens. A free place costs two
// system calls. The files are empty and stay. A program that cleans the directory may remove them; then the
// processes that have locked them no longer count.
type places struct {
	directory string // may be one in which every user can write, such as /tmp
	count     int    // 0: no limit
}

// take takes a place until this process ends, and reports whether one was free. The error says why no place
// at all can be used, by any process.
func (p places) take() (ok bool, err error) {
	if p.count == 0 {
		return true, nil
	}
	user, first, inUse := effectiveUser(), rand.IntN(p.count), false
	for i := range p.count {
		path := fmt.Sprintf("%s/comet-cgi-%d-%d", p.directory, user, (first+i)%p.count)
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
// O_NOATIME, the kernel refuses to open another user's file, except for root.
func lock(path string, user int) error {
	const flags = unix.O_RDONLY | unix.O_CREAT | unix.O_NOATIME | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	file, err := unix.Open(path, flags, 0o600)
	if err != nil {
		return err
	}
	if user == 0 {
		err = checkOwner(file)
	}
	if err == nil {
		err = unix.Flock(file, unix.LOCK_EX|unix.LOCK_NB)
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
		return err
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
