package core_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"novcomet/core"
)

// told starts Notify and returns what it tells: an empty list for "any of them".
func toldBy(t *testing.T, store core.Notifier) <-chan []core.ID {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan []core.ID, 10_000)
	ended := make(chan error, 1)
	go func() { ended <- store.Notify(ctx, func(ids ...core.ID) { told <- ids }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Notify ended with %v", err)
		}
	})
	if first := next(t, told); len(first) != 0 {
		t.Fatalf("told of %v before anything else; want: of any", first)
	}
	return told
}

func next(t *testing.T, told <-chan []core.ID) []core.ID {
	t.Helper()
	select {
	case ids := <-told:
		return ids
	case <-time.After(10 * time.Second):
		t.Fatal("told of nothing")
		return nil
	}
}

func TestEveryWayToPublishIsToldOf(t *testing.T) {
	for name, publish := range map[string]func(directory, path string) error{
		"a first creation": func(directory, path string) error { return os.WriteFile(path, nil, 0o644) },
		"a touch": func(directory, path string) error {
			return os.Chtimes(path, time.Now(), time.Now())
		},
		"a write": func(directory, path string) error { return os.WriteFile(path, []byte("x"), 0o644) },
		"a rename over it": func(directory, path string) error {
			if err := os.WriteFile(filepath.Join(directory, ".new"), nil, 0o644); err != nil {
				return err
			}
			return os.Rename(filepath.Join(directory, ".new"), path)
		},
		"a hard link": func(directory, path string) error {
			if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
				return err
			}
			return os.Link(filepath.Join(directory, "other"), path)
		},
		"our own": func(directory, path string) error {
			id, err := core.ParseID("a")
			if err != nil {
				return err
			}
			_, err = (&core.Files{Directory: directory, Mode: 0o664}).Publish(context.Background(), id)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, directory := newFiles(t)
			path := filepath.Join(directory, "a.comet")
			mustWrite(t, filepath.Join(directory, "other"), "")
			if name != "a first creation" {
				mustWrite(t, path, "")
			}
			told := toldBy(t, store)
			if err := publish(directory, path); err != nil {
				t.Fatal(err)
			}
			if ids := next(t, told); len(ids) != 1 || ids[0].String() != "a" {
				t.Errorf("told of %v; want a", ids)
			}
		})
	}
}

func TestForeignFilesAreNotToldOf(t *testing.T) {
	store, directory := newFiles(t)
	told := toldBy(t, store)
	for _, name := range []string{"a", "a.comet.tmp", ".hidden.comet", "comet", ".comet", "x\xff.comet", "a.COMET"} {
		mustWrite(t, filepath.Join(directory, name), "")
	}
	mustWrite(t, filepath.Join(directory, "b.comet"), "")
	if ids := next(t, told); len(ids) != 1 || ids[0].String() != "b" {
		t.Errorf("told of %v; want b", ids)
	}
}

func TestWhenTheKernelsQueueOverflowsEverythingIsLookedAt(t *testing.T) {
	limit, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Skip(err)
	}
	var queue int
	if _, err := fmt.Sscan(string(limit), &queue); err != nil || queue > 1<<17 {
		t.Skipf("a queue of %d is too long to fill", queue)
	}
	store, directory := newFiles(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	full, overflow := make(chan struct{}), make(chan struct{}, 1)
	first, ended := true, make(chan struct{})
	go func() {
		defer close(ended)
		_ = store.Notify(ctx, func(ids ...core.ID) {
			if first {
				first = false
				mustWrite(t, filepath.Join(directory, "a.comet"), "")
				return
			}
			<-full // It does not read while the queue fills.
			if len(ids) == 0 {
				select {
				case overflow <- struct{}{}:
				default:
				}
			}
		})
	}()
	paths := []string{filepath.Join(directory, "x.comet"), filepath.Join(directory, "y.comet")}
	for _, path := range paths {
		mustWrite(t, path, "")
	}
	now := unix.Timespec{Nsec: unix.UTIME_NOW}
	for i := range 2*queue + 10_000 { // Two in turn: the kernel merges what is the same as the last.
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, paths[i%2], []unix.Timespec{now, now}, 0); err != nil {
			t.Fatal(err)
		}
	}
	close(full)
	select {
	case <-overflow:
	case <-time.After(20 * time.Second):
		t.Error("nothing said that something was missed")
	}
	cancel()
	<-ended
}

func TestADirectoryThatIsReplacedIsWatchedAgain(t *testing.T) {
	for name, remove := range map[string]func(directory string) error{
		"moved away":                             func(directory string) error { return os.Rename(directory, directory+".old") },
		"removed, and perhaps of the same inode": os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			store, directory := newFiles(t)
			told := toldBy(t, store)
			if err := remove(directory); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(directory, 0o777); err != nil {
				t.Fatal(err)
			}
			for ids := next(t, told); len(ids) != 0; ids = next(t, told) {
				t.Logf("told of %v", ids)
			}
			mustWrite(t, filepath.Join(directory, "a.comet"), "")
			if ids := next(t, told); len(ids) != 1 || ids[0].String() != "a" {
				t.Errorf("told of %v; want a", ids)
			}
		})
	}
}

func TestADirectoryThatCannotBeWatchedIsAnError(t *testing.T) {
	store := &core.Files{Directory: filepath.Join(t.TempDir(), "missing"), Mode: 0o664}
	if err := store.Notify(t.Context(), func(...core.ID) {}); err == nil {
		t.Error("no error")
	}
}
