//go:build linux

package servertest

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// OpenDirectory returns a directory that every user can write. Its path is short enough for that of a socket.
// A directory of t.TempDir is closed to other users, and its path may be too long.
func OpenDirectory(t testing.TB) string {
	t.Helper()
	directory, err := os.MkdirTemp("", "comet")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(directory) })
	if err := os.Chmod(directory, 0o777); err != nil {
		t.Fatal(err)
	}
	return directory
}

// UseUpInotify changes to a user that has no other process, and takes all inotify instances of that user
// until this process ends. It needs root.
func UseUpInotify() {
	user := 1_000_000 + os.Getpid()
	if err := syscall.Setresuid(user, user, user); err != nil {
		panic(err)
	}
	for {
		if _, err := unix.InotifyInit1(unix.IN_CLOEXEC); errors.Is(err, unix.EMFILE) {
			return
		} else if err != nil {
			panic(err)
		}
	}
}
