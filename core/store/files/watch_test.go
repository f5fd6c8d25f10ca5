package files_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/servertest"
	"novcomet/core/store/files"
)

// startWatch starts Watch and returns the ids of each notification after the first, which must have none.
func startWatch(t *testing.T, s *files.Store) (notifications <-chan []event.ID) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	notified := make(chan []event.ID, 10_000)
	ended := make(chan error, 1)
	go func() { ended <- s.Watch(ctx, nil, func(ids ...event.ID) { notified <- ids }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch ended with %v", err)
		}
	})
	if ids := next(t, notified); len(ids) != 0 {
		t.Fatalf("the first notification has the ids %v; want none", ids)
	}
	return notified
}

func next(t *testing.T, notifications <-chan []event.ID) []event.ID {
	t.Helper()
	select {
	case ids := <-notifications:
		return ids
	case <-time.After(servertest.Patience):
		t.Fatal("no notification")
		return nil
	}
}

func wantNext(t *testing.T, notifications <-chan []event.ID, want string) {
	t.Helper()
	if ids := next(t, notifications); len(ids) != 1 || ids[0].String() != want {
		t.Errorf("the notification has the ids %v; want %s", ids, want)
	}
}

func TestWatch_NotifiesOfEveryWayToPublish(t *testing.T) {
	for name, publish := range map[string]func(s *files.Store, path string) error{
		"creation": func(_ *files.Store, path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o644))
		},
		"touch": func(_ *files.Store, path string) error { return os.Chtimes(path, time.Now(), time.Now()) },
		"write": func(_ *files.Store, path string) error { return os.WriteFile(path, []byte("x"), 0o644) },
		"rename": func(_ *files.Store, path string) error {
			return errors.Join(os.WriteFile(path+"~", nil, 0o644), os.Rename(path+"~", path))
		},
		"hard link": func(_ *files.Store, path string) error {
			return errors.Join(os.WriteFile(path+"~", nil, 0o644), os.Remove(path), os.Link(path+"~", path))
		},
		"Publish": func(s *files.Store, _ string) error {
			_, err := s.Publish(t.Context(), coretest.MustID("a"), nil)
			return err
		},
		"Publish with data": func(s *files.Store, _ string) error {
			_, err := s.Publish(t.Context(), coretest.MustID("a"), []byte("x"))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, directory := newStore(t)
			path := filepath.Join(directory, "a.comet")
			mustWrite(t, path, "")
			notifications := startWatch(t, s)
			must(t, publish(s, path))
			wantNext(t, notifications, "a")
		})
	}
}

func TestWatch_IgnoresFilesThatAreNoEvents(t *testing.T) {
	s, directory := newStore(t)
	notifications := startWatch(t, s)
	for _, name := range []string{"a", "a.comet.tmp", ".hidden.comet", "comet", ".comet", "x\xff.comet", "a.COMET"} {
		mustWrite(t, filepath.Join(directory, name), "")
	}
	mustWrite(t, filepath.Join(directory, "b.comet"), "")
	wantNext(t, notifications, "b")
}

func TestWatch_NotifiesOfAnyEventWhenTheKernelsQueueOverflows(t *testing.T) {
	limit, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Skip(err)
	}
	var queue int
	if _, err := fmt.Sscan(string(limit), &queue); err != nil || queue > 1<<17 {
		t.Skipf("a queue of %d is too long to fill", queue)
	}
	s, directory := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	full, overflow := make(chan struct{}), make(chan struct{}, 1)
	watching, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		first := true
		ended <- s.Watch(ctx, nil, func(ids ...event.ID) {
			if first {
				first = false
				close(watching)
				return
			}
			<-full // While this blocks, nobody reads the queue.
			if len(ids) == 0 {
				select {
				case overflow <- struct{}{}:
				default:
				}
			}
		})
	}()
	select {
	case <-watching:
	case err := <-ended:
		t.Fatal(err)
	}
	paths := []string{filepath.Join(directory, "x.comet"), filepath.Join(directory, "y.comet")}
	for _, path := range paths {
		mustWrite(t, path, "")
	}
	now := unix.Timespec{Nsec: unix.UTIME_NOW}
	for i := range 2*queue + 10_000 { // The kernel merges a change with an equal one before it, so two files alternate.
		must(t, unix.UtimesNanoAt(unix.AT_FDCWD, paths[i%2], []unix.Timespec{now, now}, 0))
	}
	close(full)
	select {
	case <-overflow:
	case <-time.After(servertest.Patience):
		t.Error("no notification without ids")
	}
	cancel()
	<-ended
}

func TestWatch_WatchesDirectoryThatReplacesTheOld(t *testing.T) {
	for name, replace := range map[string]func(t *testing.T, directory string){
		"after a move": func(t *testing.T, directory string) {
			must(t, os.Rename(directory, directory+".old"), os.Mkdir(directory, 0o777))
		},
		"after a removal, perhaps with the same inode": func(t *testing.T, directory string) {
			must(t, os.Remove(directory), os.Mkdir(directory, 0o777))
		},
		"after a mount": func(t *testing.T, directory string) { mount(t, directory, "tmpfs", "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, directory := newStore(t)
			notifications := startWatch(t, s)
			replace(t, directory)
			for ids := next(t, notifications); len(ids) != 0; ids = next(t, notifications) {
				t.Logf("a notification has the ids %v", ids)
			}
			mustWrite(t, filepath.Join(directory, "a.comet"), "")
			wantNext(t, notifications, "a")
		})
	}
}

func TestWatch_FailsWithoutDirectory(t *testing.T) {
	s := &files.Store{Directory: filepath.Join(t.TempDir(), "missing")}
	if err := s.Watch(t.Context(), nil, func(...event.ID) {}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v; want ErrNotExist", err)
	}
}

func TestWatch_IsUnsupportedWithNoWatch(t *testing.T) {
	s := &files.Store{Directory: t.TempDir(), NoWatch: true}
	if err := s.Watch(t.Context(), nil, func(...event.ID) {}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v; want ErrUnsupported", err)
	}
}
