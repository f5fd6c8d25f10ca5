package files_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
	"novcomet/core/store/files"
	"novcomet/core/store/storetest"
)

func TestMain(m *testing.M) {
	for variable, run := range map[string]func(directory string){
		killedVariable: publishAndDie, publisherVariable: publishAsChild,
	} {
		if directory, ok := os.LookupEnv(variable); ok {
			run(directory)
			return
		}
	}
	goleak.VerifyTestMain(m)
}

func newStore(t testing.TB) (s *files.Store, directory string) {
	directory = t.TempDir()
	return &files.Store{Directory: directory}, directory
}

// publish publishes the event without data.
func publish(t testing.TB, s *files.Store, name string) (event.Stamp, error) {
	t.Helper()
	return s.Publish(t.Context(), coretest.MustID(name), nil)
}

// stampOf checks one event.
func stampOf(t testing.TB, s *files.Store, name string) event.Stamp {
	t.Helper()
	snapshot, err := s.Check(t.Context(), []event.ID{coretest.MustID(name)})
	if err != nil {
		t.Fatal(err)
	}
	return snapshot.Stamps[0]
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func mustWrite(t testing.TB, path, content string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(content), 0o644))
}

func mustSetTime(t testing.TB, path string, at time.Time) {
	t.Helper()
	must(t, os.Chtimes(path, at, at))
}

func lstat(t testing.TB, path string) (stat unix.Stat_t) {
	t.Helper()
	must(t, unix.Lstat(path, &stat))
	return stat
}

// namesIn lists the directory, hidden files included.
func namesIn(t testing.TB, directory string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	must(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// newDirectory creates a directory that every user can reach, unlike t.TempDir's.
func newDirectory(t testing.TB, parent string, mode os.FileMode) string {
	t.Helper()
	directory, err := os.MkdirTemp(parent, "novcomet-test-*")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(directory) })
	must(t, os.Chmod(directory, mode))
	return directory
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user and give files away")
	}
}

// mount mounts a small file system for the test, or skips the test.
func mount(t testing.TB, directory, kind, options string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a file system")
	}
	if err := unix.Mount(kind, directory, kind, 0, options); err != nil {
		t.Skipf("cannot mount %s: %v", kind, err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(directory, unix.MNT_DETACH)) }) // The store still has it open.
}

// asUser runs f with this user's rights to files. On Linux, each thread has its own.
func asUser(t testing.TB, uid int, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // Without Unlock, the thread ends with the goroutine, and its rights end with it.
		for _, call := range [][2]uintptr{{unix.SYS_SETFSGID, uintptr(uid)}, {unix.SYS_SETFSUID, uintptr(uid)}} {
			syscall.RawSyscall(call[0], call[1], 0, 0)
		}
		f()
	}()
	<-done
}

func TestStore_KeepsContract(t *testing.T) {
	for name, test := range map[string]struct {
		parent        string
		fine, noWatch bool
	}{
		"in memory":               {parent: "/dev/shm", fine: true},
		"on a disk without Watch": {parent: os.TempDir(), noWatch: true},
	} {
		t.Run(name, func(t *testing.T) {
			var directory string
			storetest.Test(t, storetest.Subject{
				Place: func(t testing.TB) string {
					directory = newDirectory(t, test.parent, 0o700)
					return directory
				},
				Open: func(t testing.TB, place string) store.Store {
					s := &files.Store{Directory: place, FineTimestamps: test.fine, NoWatch: test.noWatch}
					t.Cleanup(func() { must(t, s.Close()) })
					return s
				},
				SetStamp: func(t testing.TB, id event.ID, stamp event.Stamp) {
					path := filepath.Join(directory, id.String()+".comet")
					mustWrite(t, path, "")
					mustSetTime(t, path, time.UnixMicro(int64(stamp)))
				},
				Interrupt: func(t testing.TB) func() {
					must(t, os.Rename(directory, directory+".away"))
					return func() { must(t, os.Rename(directory+".away", directory)) }
				},
			})
		})
	}
}

func TestCheck_ReturnsFileTimes(t *testing.T) {
	s, directory := newStore(t)
	for name, at := range map[string]time.Time{
		"a": time.Unix(1763800000, 123456789), "b": time.Unix(5, 0), "before 1970": time.Unix(-7, 0),
	} {
		path := filepath.Join(directory, name+".comet")
		mustWrite(t, path, "")
		mustSetTime(t, path, at)
	}
	before := event.StampOf(time.Now())
	var ids []event.ID
	for _, name := range []string{"b", "missing", "a", "before 1970"} {
		ids = append(ids, coretest.MustID(name))
	}
	snapshot, err := s.Check(t.Context(), ids)
	must(t, err)
	for i, want := range []event.Stamp{5_000_000, 0, 1763800000_123456, 1} {
		if snapshot.Stamps[i] != want {
			t.Errorf("%s: stamp %v; want %v", ids[i], snapshot.Stamps[i], want)
		}
	}
	if after := event.StampOf(time.Now()); snapshot.Now < before || snapshot.Now > after {
		t.Errorf("Now is %v; want a time from %v to %v", snapshot.Now, before, after)
	}
}

func TestStore_IgnoresWhatIsNotARegularFile(t *testing.T) {
	for name, create := range map[string]func(path, outside string) error{
		"directory":        func(path, _ string) error { return os.Mkdir(path, 0o777) },
		"FIFO":             func(path, _ string) error { return unix.Mkfifo(path, 0o666) },
		"socket":           func(path, _ string) error { return unix.Mknod(path, unix.S_IFSOCK|0o666, 0) },
		"outward link":     func(path, outside string) error { return os.Symlink(outside, path) },
		"dangling link":    func(path, outside string) error { return os.Symlink(outside+"-missing", path) },
		"link to itself":   func(path, _ string) error { return os.Symlink(path, path) },
		"link to an event": func(path, _ string) error { return os.Symlink("good.comet", path) },
	} {
		t.Run(name, func(t *testing.T) {
			s, directory := newStore(t)
			old := time.Unix(1000, 0)
			outside := filepath.Join(t.TempDir(), "outside")
			path := filepath.Join(directory, "x.comet")
			for _, file := range []string{outside, filepath.Join(directory, "good.comet")} {
				mustWrite(t, file, "unchanged")
				mustSetTime(t, file, old)
			}
			must(t, create(path, outside))
			before := lstat(t, path)

			if got := stampOf(t, s, "x"); got != 0 {
				t.Errorf("its stamp is %v; want 0", got)
			}
			if got := stampOf(t, s, "good"); got != event.StampOf(old) {
				t.Errorf("the stamp of another event is %v; want %v", got, event.StampOf(old))
			}
			for _, data := range [][]byte{nil, []byte("data")} {
				_, err := s.Publish(t.Context(), coretest.MustID("x"), data)
				if err == nil || !strings.Contains(err.Error(), "x.comet") {
					t.Errorf("publish with the data %q: %v; want an error with the file's name", data, err)
				}
			}
			if after := lstat(t, path); after.Mtim != before.Mtim || after.Ino != before.Ino {
				t.Error("it was touched or replaced")
			}
			if _, err := os.Lstat(outside + "-missing"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the link's target: %v; want that it does not exist", err)
			}
			if info, err := os.Stat(outside); err != nil || !info.ModTime().Equal(old) {
				t.Error("the link's target was touched")
			}
		})
	}
}

func TestStore_IsUnavailableWithoutDirectory(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	file := filepath.Join(t.TempDir(), "file")
	mustWrite(t, file, "")
	for _, directory := range []string{missing, file} {
		s := &files.Store{Directory: directory}
		ids := []event.ID{coretest.MustID("a")}
		for method, call := range map[string]func(context.Context) error{
			"Check":   func(ctx context.Context) error { _, err := s.Check(ctx, ids); return err },
			"Publish": func(ctx context.Context) error { _, err := s.Publish(ctx, ids[0], nil); return err },
			"Data":    func(ctx context.Context) error { _, err := s.Data(ctx, ids, 100); return err },
			"Probe":   func(context.Context) error { return s.Probe() },
		} {
			err := call(t.Context())
			if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), directory) {
				t.Errorf("%s in %s: %v; want ErrUnavailable with the directory's name", method, directory, err)
			}
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, events := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(events), func(b *testing.B) {
			s := &files.Store{Directory: newDirectory(b, "/dev/shm", 0o700)}
			defer s.Close()
			ids := make([]event.ID, events)
			for i := range ids {
				ids[i] = coretest.MustID(fmt.Sprint("event-", i))
				_, err := s.Publish(b.Context(), ids[i], nil)
				must(b, err)
			}
			b.ReportAllocs()
			for b.Loop() {
				_, err := s.Check(b.Context(), ids)
				must(b, err)
			}
		})
	}
}
