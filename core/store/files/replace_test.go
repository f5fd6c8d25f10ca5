package files_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
	"novcomet/core/store/files"
)

func TestPublish_WithDataKeepsModeAndGroup(t *testing.T) {
	s, directory := newStore(t)
	path := filepath.Join(directory, "a.comet")
	mustWrite(t, path, "old")
	must(t, os.Chmod(path, 0o646))
	const group = 4
	if err := os.Chown(path, -1, group); err != nil {
		t.Skip(err)
	}
	for _, data := range []string{"new", ""} {
		_, err := s.Publish(t.Context(), coretest.MustID("a"), []byte(data))
		must(t, err)
		after := lstat(t, path)
		if after.Mode&0o7777 != 0o646 || after.Gid != group || int(after.Size) != len(data) {
			t.Errorf("the file has mode %o, group %d and %d bytes; want 646, %d and %d",
				after.Mode&0o7777, after.Gid, after.Size, group, len(data))
		}
	}
	if names := namesIn(t, directory); len(names) != 1 {
		t.Errorf("the directory contains %q; want a.comet alone", names)
	}
}

// The time of the renamed file was set a moment before. All of these publications are seen at the returned
// stamp.
func TestPublish_WithDataReturnsTheStampThatCheckSees(t *testing.T) {
	s, _ := newStore(t)
	var last event.Stamp
	for i := range 200 {
		want := fmt.Sprint(i)
		got, err := s.Publish(t.Context(), coretest.MustID("a"), []byte(want))
		if seen := stampOf(t, s, "a"); err != nil || got <= last || got != seen {
			t.Fatalf("publication %d: Publish returned %v after %v, %v; Check sees %v", i, got, last, err, seen)
		}
		if got := dataOf(t, s, "a"); got != want {
			t.Fatalf("the data is %q; want %q", got, want)
		}
		last = got
	}
}

func TestPublish_WithDataIsRefusedWithoutPermission(t *testing.T) {
	needRoot(t)
	const me, other = 65534, 12345
	for name, mode := range map[string]os.FileMode{
		"to replace another user's file in a sticky directory": 0o777 | os.ModeSticky,
		"to keep the group of another user's file":             0o777,
		"to write into the directory":                          0o755,
	} {
		t.Run(name, func(t *testing.T) {
			directory := newDirectory(t, "/dev/shm", mode)
			path := filepath.Join(directory, "a.comet")
			mustWrite(t, path, "before")
			must(t, os.Chown(path, other, other), os.Chmod(path, 0o666))
			asUser(t, me, func() {
				_, err := (&files.Store{Directory: directory}).Publish(t.Context(), coretest.MustID("a"), []byte("after"))
				if !errors.Is(err, store.ErrRefused) || !errors.Is(err, os.ErrPermission) {
					t.Errorf("%v; want ErrRefused with the kernel's reason", err)
				}
			})
			if names := namesIn(t, directory); len(names) != 1 {
				t.Errorf("the directory contains %q; want a.comet alone", names)
			}
			if content, err := os.ReadFile(path); err != nil || string(content) != "before" {
				t.Errorf("the file contains %q, %v; want the old content", content, err)
			}
		})
	}
}

const killedVariable = "NOVCOMET_FILES_KILLED"

// publishAndDie publishes data that is longer than a file may be. In the middle of the write, the kernel
// sends SIGXFSZ, which ends the program once Go's handler is removed.
func publishAndDie(directory string) {
	const limit = 1 << 10
	var defaultAction [4]uint64
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION,
		uintptr(unix.SIGXFSZ), uintptr(unsafe.Pointer(&defaultAction)), 0, unsafe.Sizeof(defaultAction[0]), 0, 0)
	if errno != 0 {
		panic(errno)
	}
	for resource, limit := range map[int]uint64{unix.RLIMIT_FSIZE: limit, unix.RLIMIT_CORE: 0} {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
			panic(err)
		}
	}
	id, err := event.ParseID("a")
	if err != nil {
		panic(err)
	}
	_, err = (&files.Store{Directory: directory}).Publish(context.Background(), id, make([]byte, 2*limit))
	fmt.Println("not killed:", err)
}

func TestPublish_RemovesWhatAKilledPublisherLeft(t *testing.T) {
	directory := newDirectory(t, "/dev/shm", 0o777|os.ModeSticky)
	s := &files.Store{Directory: directory}
	killPublisher := func() (leftover string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), os.Args[0])
		command.Env = append(os.Environ(), killedVariable+"="+directory)
		output, err := command.CombinedOutput()
		names := slices.DeleteFunc(namesIn(t, directory), func(name string) bool { return name == "a.comet" })
		if len(names) != 1 {
			t.Fatalf("a killed publisher left %q, %v; want one file\n%.200s", names, err, output)
		}
		return names[0]
	}
	publishData := func() (err error) {
		_, err = s.Publish(t.Context(), coretest.MustID("a"), []byte("data"))
		return err
	}

	for _, data := range [][]byte{[]byte("data"), nil} {
		killPublisher()
		killPublisher() // There is still one file alone.
		_, err := s.Publish(t.Context(), coretest.MustID("a"), data)
		must(t, err)
		if names := namesIn(t, directory); !slices.Equal(names, []string{"a.comet"}) {
			t.Errorf("after a publication of %q, the directory contains %q; want a.comet alone", data, names)
		}
	}

	needRoot(t)
	must(t, os.Remove(filepath.Join(directory, "a.comet")))
	leftover := killPublisher()
	asUser(t, 65534, func() {
		if err := publishData(); err != nil {
			t.Errorf("another user, who may not remove the file: %v", err)
		}
	})
	if names := namesIn(t, directory); !slices.Equal(names, []string{leftover, "a.comet"}) {
		t.Errorf("after another user's publication, the directory contains %q; want %q and a.comet", names, leftover)
	}
}
