package files_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"novcomet/core/store/files"
)

// probes are the two ways in which Probe tries a file system.
var probes = map[string]func(*files.Store) error{
	"with an unnamed file": (*files.Store).Probe,
	"with a named file":    (*files.Store).ProbeByName,
}

func TestProbe_FindsWhetherTimestampsAreFine(t *testing.T) {
	for name, probe := range probes {
		t.Run(name, func(t *testing.T) {
			s, _ := newStore(t)
			testProbe(t, s, probe)
		})
		// No kernel has fine time stamps on ramfs.
		t.Run(name+" on ramfs", func(t *testing.T) {
			s, directory := newStore(t)
			mount(t, directory, "ramfs", "")
			if testProbe(t, s, probe); s.FineTimestamps {
				t.Error("FineTimestamps is true")
			}
		})
	}
}

// testProbe compares the result with 200 changes of a file.
func testProbe(t *testing.T, s *files.Store, probe func(*files.Store) error) {
	t.Helper()
	if got := s.Timing().Resolution; got != 10*time.Millisecond {
		t.Errorf("before Probe, the resolution is %v; want 10 ms", got)
	}
	must(t, probe(s))
	if got := s.Timing().Resolution; s.FineTimestamps && got > time.Microsecond {
		t.Errorf("with fine time stamps, the resolution is %v", got)
	}
	path := filepath.Join(s.Directory, "a.comet")
	mustWrite(t, path, "")
	same := 0
	for range 200 {
		before := lstat(t, path).Mtim
		now := unix.Timespec{Nsec: unix.UTIME_NOW}
		must(t, unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{now, now}, 0))
		if lstat(t, path).Mtim == before {
			same++
		}
	}
	if s.FineTimestamps != (same == 0) {
		t.Errorf("FineTimestamps is %v, but %d of 200 changes did not change the time", s.FineTimestamps, same)
	}
	if names := namesIn(t, s.Directory); len(names) != 1 {
		t.Errorf("the directory contains %q; want a.comet alone", names)
	}
}

// Each run of comet.cgi probes. That must not wake a comet-fcgi that watches the directory.
func TestProbe_DoesNotWakeWatchers(t *testing.T) {
	for _, parent := range []string{"/dev/shm", os.TempDir()} {
		s := &files.Store{Directory: newDirectory(t, parent, 0o700)}
		watch, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
		must(t, err)
		defer unix.Close(watch)
		// These are the changes that Watch watches.
		const changes = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MODIFY | unix.IN_ATTRIB | unix.IN_MOVE
		_, err = unix.InotifyAddWatch(watch, s.Directory, changes)
		must(t, err, s.Probe())
		mustWrite(t, filepath.Join(s.Directory, "after.comet"), "")
		events := make([]byte, 4096)
		n, err := unix.Read(watch, events)
		if err != nil || n < unix.SizeofInotifyEvent {
			t.Fatalf("%s: %d bytes of events, %v; want the event of a file", parent, n, err)
		}
		length := binary.NativeEndian.Uint32(events[unsafe.Offsetof(unix.InotifyEvent{}.Len):])
		if name := unix.ByteSliceToString(events[unix.SizeofInotifyEvent:][:length]); name != "after.comet" {
			t.Errorf("%s: the first event is about %q; want after.comet", parent, name)
		}
	}
}

func TestProbe_AssumesCoarseTimestampsIfItMayNotCreateAFile(t *testing.T) {
	needRoot(t)
	directory := newDirectory(t, "/dev/shm", 0o755)
	asUser(t, 65534, func() {
		s := &files.Store{Directory: directory, FineTimestamps: true}
		if err := s.Probe(); err != nil || s.FineTimestamps {
			t.Errorf("FineTimestamps is %v, %v; want false and no error", s.FineTimestamps, err)
		}
	})
}

// A new request must not rely on the times of a file system that is hidden now.
func TestTiming_IsCoarseOnceTheDirectoryIsOnAnotherFileSystem(t *testing.T) {
	s, directory := newStore(t)
	s.FineTimestamps = true
	wantResolution := func(want time.Duration) {
		t.Helper()
		if got := s.Timing().Resolution; got != want {
			t.Errorf("the resolution is %v; want %v", got, want)
		}
	}
	stampOf(t, s, "a")
	wantResolution(0)
	must(t, os.Rename(directory, directory+".old"), os.Mkdir(directory, 0o700))
	stampOf(t, s, "a")
	wantResolution(0)
	mount(t, directory, "tmpfs", "")
	stampOf(t, s, "a")
	wantResolution(10 * time.Millisecond)
	must(t, s.Probe())
	s.FineTimestamps = true
	wantResolution(0)
	mount(t, directory, "tmpfs", "") // Its root has the same inode.
	stampOf(t, s, "a")
	wantResolution(10 * time.Millisecond)
}
