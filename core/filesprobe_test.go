package core_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"novcomet/core"
)

// probes are the two ways in which Probe tries a file system.
var probes = map[string]func(*core.Files) error{
	"with a file without a name": (*core.Files).Probe,
	"with a file of a name":      (*core.Files).ProbeByName,
}

func TestProbe_FindsOutWhetherStampsAreFineAndLeavesNothingBehind(t *testing.T) {
	for name, probe := range probes {
		t.Run(name, func(t *testing.T) {
			store, directory := newFiles(t)
			if store.Timing().Settle != 10*time.Millisecond {
				t.Error("what was not probed is not taken for coarse")
			}
			if err := probe(store); err != nil {
				t.Fatal(err)
			}
			if store.Fine && store.Timing().Settle > time.Microsecond {
				t.Errorf("fine stamps settle in %v", store.Timing().Settle)
			}
			// It is the truth: where it says so, no two publications that were looked at have the same stamp.
			path := filepath.Join(directory, "a.comet")
			mustWrite(t, path, "")
			same := 0
			for range 200 {
				before := lstat(t, path).Mtim
				now := unix.Timespec{Nsec: unix.UTIME_NOW}
				if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{now, now}, 0); err != nil {
					t.Fatal(err)
				}
				if lstat(t, path).Mtim == before {
					same++
				}
			}
			if store.Fine != (same == 0) {
				t.Errorf("Fine is %v, but %d of 200 stamps were given twice", store.Fine, same)
			}
			if entries, _ := os.ReadDir(directory); len(entries) != 1 {
				t.Errorf("left behind: %v", entries)
			}
		})
	}
}

// A program that watches the directory, as every comet-fcgi does, must not wake for each comet.cgi that probes.
func TestProbe_WakesNobodyWhoWatchesTheDirectory(t *testing.T) {
	for _, parent := range []string{"/dev/shm", os.TempDir()} {
		store := &core.Files{Directory: newDirectory(t, parent)}
		watch, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(watch)
		const changes = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MODIFY | unix.IN_ATTRIB | unix.IN_MOVE // as Notify
		if _, err := unix.InotifyAddWatch(watch, store.Directory, changes); err != nil {
			t.Fatal(err)
		}
		if err := store.Probe(); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, filepath.Join(store.Directory, "after.comet"), "")
		events := make([]byte, 4096)
		n, err := unix.Read(watch, events)
		if err != nil || n < unix.SizeofInotifyEvent {
			t.Fatalf("%s: %d bytes of events, %v; want that of a file", parent, n, err)
		}
		length := binary.NativeEndian.Uint32(events[unsafe.Offsetof(unix.InotifyEvent{}.Len):])
		if name := unix.ByteSliceToString(events[unix.SizeofInotifyEvent:][:length]); name != "after.comet" {
			t.Errorf("%s: the first event is about %q", parent, name)
		}
	}
}

func TestProbe_TakesStampsForCoarseWhereItMayNotCreateAFile(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	directory := newDirectory(t, "/dev/shm")
	if err := os.Chmod(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	asUser(t, 65534, func() {
		store := &core.Files{Directory: directory, Fine: true}
		if err := store.Probe(); err != nil || store.Fine {
			t.Errorf("Fine: %v, %v; want coarse and no error", store.Fine, err)
		}
	})
}
