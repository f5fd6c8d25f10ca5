package core_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"novcomet/core"
)

func TestEveryPublicationGetsALaterStamp(t *testing.T) {
	store, directory := newFiles(t)
	id := mustID(t, "a")
	var last core.Stamp
	for i := range 2000 {
		stamp, err := store.Publish(t.Context(), id)
		if err != nil || stamp <= last {
			t.Fatalf("publication %d: %v after %v, %v", i, stamp, last, err)
		}
		last = stamp
	}
	if mode := lstat(t, filepath.Join(directory, "a.comet")).Mode & 0o7777; mode != 0o664 {
		t.Errorf("the file's mode is %o; want 664", mode)
	}
}

func TestANewFileHasItsModeWhateverTheUmask(t *testing.T) {
	defer unix.Umask(unix.Umask(0o077))
	for mode, want := range map[os.FileMode]uint32{0: 0o664, 0o664: 0o664, 0o600: 0o600, 0o666: 0o666} {
		directory := t.TempDir()
		store := &core.Files{Directory: directory, Mode: mode}
		if _, err := store.Publish(t.Context(), mustID(t, "touched")); err != nil {
			t.Fatal(err)
		}
		if _, err := store.PublishData(t.Context(), mustID(t, "written"), []byte("x")); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"touched", "written"} {
			if got := lstat(t, filepath.Join(directory, name+".comet")).Mode & 0o7777; got != want {
				t.Errorf("Mode %o: the file that is %s has mode %o; want %o", mode, name, got, want)
			}
		}
	}
}

func TestOfManyWhoPublishTheSameEventEachGetsAStampOfItsOwn(t *testing.T) {
	store, _ := newFiles(t)
	id := mustID(t, "a")
	const publishers, each = 8, 200
	var mu sync.Mutex
	seen := map[core.Stamp]bool{}
	var publishing sync.WaitGroup
	for range publishers {
		publishing.Go(func() {
			var last core.Stamp
			for range each {
				stamp, err := store.Publish(t.Context(), id)
				if err != nil || stamp <= last {
					t.Errorf("%v after %v, %v", stamp, last, err)
					return
				}
				last = stamp
				mu.Lock()
				seen[stamp] = true
				mu.Unlock()
			}
		})
	}
	publishing.Wait()
	if len(seen) != publishers*each {
		t.Errorf("%d stamps for %d publications", len(seen), publishers*each)
	}
}

func TestAStampThatIsAheadOfTheClock(t *testing.T) {
	for name, test := range map[string]struct {
		ahead time.Duration
		later bool
	}{
		"by up to 2 s is left in order":   {1500 * time.Millisecond, true},
		"by more than 2 s is left behind": {time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			store, directory := newFiles(t)
			path := filepath.Join(directory, "a.comet")
			mustWrite(t, path, "")
			ahead := time.Now().Add(test.ahead)
			if err := os.Chtimes(path, ahead, ahead); err != nil {
				t.Fatal(err)
			}
			before := stamp(t, store, "a")
			got, err := store.Publish(t.Context(), mustID(t, "a"))
			if err != nil {
				t.Fatal(err)
			}
			if test.later && got != before+1 || !test.later && got > core.StampOf(time.Now()) {
				t.Errorf("the stamp became %v after %v", got, before)
			}
			if now := stamp(t, store, "a"); now != got {
				t.Errorf("Publish returned %v, but the stamp is %v", got, now)
			}
		})
	}
}

// The difference is more than a time.Duration holds.
func TestAStampThatIsCenturiesAheadIsLeftBehind(t *testing.T) {
	store, directory := newFiles(t)
	path := filepath.Join(directory, "a.comet")
	mustWrite(t, path, "")
	far := unix.Timespec{Sec: time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC).Unix()}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{far, far}, 0); err != nil {
		t.Skip(err)
	}
	before := core.StampOf(time.Now().Add(-time.Second))
	if got, err := store.Publish(t.Context(), mustID(t, "a")); err != nil || got < before || got > core.StampOf(time.Now()) {
		t.Errorf("the stamp became %v, %v", got, err)
	}
}

func TestWhileAnotherProgramKeepsTheLockPublishingFailsInTimeAndLookingWorks(t *testing.T) {
	store, directory := newFiles(t)
	if _, err := store.Publish(t.Context(), mustID(t, "a")); err != nil {
		t.Fatal(err)
	}
	other, err := os.Open(directory)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := unix.Flock(int(other.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	before := stamp(t, store, "a")
	if _, err := store.Publish(t.Context(), mustID(t, "a")); err == nil || !strings.Contains(err.Error(), directory) {
		t.Errorf("%v; want an error that names the directory", err)
	}
	if after := stamp(t, store, "a"); after != before {
		t.Error("it was published without the lock")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	leaving := errors.New("leaving")
	cancel(leaving)
	if _, err := store.Publish(ctx, mustID(t, "a")); !errors.Is(err, leaving) {
		t.Errorf("%v; want the context's cause", err)
	}
	if err := unix.Flock(int(other.Fd()), unix.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Publish(t.Context(), mustID(t, "a")); err != nil {
		t.Errorf("the lock is free, but %v", err)
	}
}

// As an ordinary user: a file that only may be written, one that only is one's own, and one that is neither.
func TestAFileOfAnotherUserIsPublishedIfItMayBeWritten(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files to another user and become one")
	}
	const me, other = 65534, 12345
	for _, test := range []struct {
		name  string
		owner int
		mode  os.FileMode
		works bool
	}{
		{"another user's, writable", other, 0o666, true},
		{"another user's, not writable", other, 0o644, false},
		{"one's own, not readable", me, 0o000, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			directory, err := os.MkdirTemp("/dev/shm", "novcomet-test-*") // where any user can reach it
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(directory) })
			path := filepath.Join(directory, "a.comet")
			mustWrite(t, path, "")
			for _, err := range []error{os.Chmod(directory, 0o1777), os.Chown(path, test.owner, test.owner), os.Chmod(path, test.mode)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			store := &core.Files{Directory: directory, Mode: 0o664}
			asUser(t, me, func() {
				var last core.Stamp
				for range 50 {
					got, err := store.Publish(t.Context(), mustID(t, "a"))
					if works := err == nil && got != last; works != test.works {
						t.Errorf("published %v after %v, %v; want success %v", got, last, err, test.works)
						return
					}
					if got, err := store.Stamps(t.Context(), []core.ID{mustID(t, "a")}); err != nil || got.Stamps[0] == 0 {
						t.Errorf("looked at it: %v, %v", got, err)
					}
					last = got
				}
			})
		})
	}
}

// asUser runs f with that user's rights to files, which on Linux are a thread's own.
func asUser(t *testing.T, uid int, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and its rights with it
		for _, call := range [][2]uintptr{{unix.SYS_SETFSGID, uintptr(uid)}, {unix.SYS_SETFSUID, uintptr(uid)}} {
			syscall.RawSyscall(call[0], call[1], 0, 0)
		}
		f()
	}()
	<-done
}

func TestADirectoryThatIsFullSaysSo(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small file system")
	}
	directory := t.TempDir()
	if err := unix.Mount("tmpfs", directory, "tmpfs", 0, "nr_inodes=3"); err != nil {
		t.Skipf("no small file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(directory, 0); err != nil {
			t.Error(err)
		}
	})
	store := &core.Files{Directory: directory, Mode: 0o664}
	var err error
	for _, name := range []string{"a", "b", "c", "d"} {
		if _, err = store.Publish(t.Context(), mustID(t, name)); err != nil {
			break
		}
	}
	if !errors.Is(err, unix.ENOSPC) || errors.Is(err, core.ErrUnavailable) {
		t.Errorf("%v; want ENOSPC, about that event alone", err)
	}
	if _, err := store.Publish(t.Context(), mustID(t, "a")); err != nil {
		t.Errorf("the event that is there can't be published: %v", err)
	}
}
