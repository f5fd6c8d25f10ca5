package files_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
	"novcomet/core/store/files"
)

func TestPublish_CreatesFileWithModeWhateverTheUmask(t *testing.T) {
	defer unix.Umask(unix.Umask(0o077))
	for mode, want := range map[os.FileMode]uint32{0: 0o664, 0o664: 0o664, 0o600: 0o600, 0o666: 0o666} {
		directory := t.TempDir()
		s := &files.Store{Directory: directory, Mode: mode}
		_, touched := publish(t, s, "touched")
		_, written := s.Publish(t.Context(), coretest.MustID("written"), []byte("x"))
		must(t, touched, written)
		for _, name := range []string{"touched", "written"} {
			if got := lstat(t, filepath.Join(directory, name+".comet")).Mode & 0o7777; got != want {
				t.Errorf("Mode %o: the file that was %s has mode %o; want %o", mode, name, got, want)
			}
		}
	}
}

func TestPublish_CreatesNoFileWithNoCreate(t *testing.T) {
	s, directory := newStore(t)
	s.NoCreate = true
	for _, data := range [][]byte{nil, []byte("data")} {
		if _, err := s.Publish(t.Context(), coretest.MustID("a"), data); !errors.Is(err, store.ErrNoEvent) {
			t.Errorf("publish a missing event with the data %q: %v; want ErrNoEvent", data, err)
		}
	}
	if names := namesIn(t, directory); len(names) > 0 {
		t.Errorf("the directory contains %q", names)
	}
	mustWrite(t, filepath.Join(directory, "a.comet"), "")
	for _, data := range [][]byte{nil, []byte("data")} {
		if _, err := s.Publish(t.Context(), coretest.MustID("a"), data); err != nil {
			t.Errorf("publish an existing event with the data %q: %v", data, err)
		}
	}
}

// On ramfs, every kernel gives all publications of one tick the same time.
func TestPublish_AddsMicrosecondsWithinATick(t *testing.T) {
	s, directory := newStore(t)
	mount(t, directory, "ramfs", "")
	var last event.Stamp
	added := 0
	for i := range 500 {
		got, err := publish(t, s, "a")
		if seen := stampOf(t, s, "a"); err != nil || got <= last || seen != got {
			t.Fatalf("publication %d: Publish returned %v after %v, %v; Check sees %v", i, got, last, err, seen)
		}
		if got == last+1 {
			added++
		}
		last = got
	}
	if added == 0 {
		t.Error("no two publications were in the same tick")
	}
}

func TestPublish_WithStampAheadOfTheClock(t *testing.T) {
	for name, test := range map[string]struct {
		ahead   time.Duration
		ignored bool
	}{
		"adds 1 µs to a stamp up to 2 s ahead":        {1900 * time.Millisecond, false},
		"ignores a stamp that is more than 2 s ahead": {time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, data := range [][]byte{nil, []byte("x")} {
				s, directory := newStore(t)
				path := filepath.Join(directory, "a.comet")
				mustWrite(t, path, "")
				mustSetTime(t, path, time.Now().Add(test.ahead))
				before := stampOf(t, s, "a")
				got, err := s.Publish(t.Context(), coretest.MustID("a"), data)
				must(t, err)
				if !test.ignored && got != before+1 || test.ignored && got > event.StampOf(time.Now()) {
					t.Errorf("with the data %q: the stamp was %v and is %v", data, before, got)
				}
				if now := stampOf(t, s, "a"); now != got {
					t.Errorf("with the data %q: Publish returned %v, but Check %v", data, got, now)
				}
			}
		})
	}
}

// A file can show a stamp to readers long after the time that the stamp names. Here the bubble's clock is an
// hour later.
func TestPublish_RepeatsPublicationThatComesLate(t *testing.T) {
	for name, data := range map[string][]byte{"without data": nil, "with data": []byte("data")} {
		t.Run(name, func(t *testing.T) {
			s, directory := newStore(t)
			path := filepath.Join(directory, "a.comet")
			mustWrite(t, path, "")
			ahead := time.Now().Add(1900 * time.Millisecond) // More than 2 s would be ignored.
			mustSetTime(t, path, ahead)
			before := stampOf(t, s, "a")
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(ahead.Add(time.Hour)))
				got, err := s.Publish(t.Context(), coretest.MustID("a"), data)
				must(t, err)
				if want := before + 2*event.Microsecond; got != want {
					t.Errorf("the stamp is %v after %v; want %v, of the second publication", got, before, want)
				}
			})
		})
	}
}

// The difference is more than a time.Duration holds.
func TestPublish_IgnoresStampCenturiesAhead(t *testing.T) {
	s, directory := newStore(t)
	path := filepath.Join(directory, "a.comet")
	mustWrite(t, path, "")
	far := unix.Timespec{Sec: time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC).Unix()}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{far, far}, 0); err != nil {
		t.Skip(err)
	}
	before := event.StampOf(time.Now().Add(-time.Second))
	if got, err := publish(t, s, "a"); err != nil || got < before || got > event.StampOf(time.Now()) {
		t.Errorf("the stamp is %v, %v", got, err)
	}
}

func TestPublish_FailsAfterASecondWithoutTheLock(t *testing.T) {
	s, directory := newStore(t)
	_, err := publish(t, s, "a")
	must(t, err)
	other, err := os.Open(directory)
	must(t, err)
	defer other.Close()
	must(t, unix.Flock(int(other.Fd()), unix.LOCK_EX))
	before := stampOf(t, s, "a")
	_, err = publish(t, s, "a")
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), directory) {
		t.Errorf("%v; want ErrUnavailable with the directory's name", err)
	}
	if after := stampOf(t, s, "a"); after != before {
		t.Error("Publish changed the stamp without the lock")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	leaving := errors.New("leaving")
	cancel(leaving)
	if _, err := s.Publish(ctx, coretest.MustID("a"), nil); !errors.Is(err, leaving) {
		t.Errorf("%v; want the context's cause", err)
	}
	must(t, unix.Flock(int(other.Fd()), unix.LOCK_UN))
	if _, err := publish(t, s, "a"); err != nil {
		t.Errorf("when the lock is free: %v", err)
	}
}

func TestPublish_FailsAfterASecondBehindOthersThatWait(t *testing.T) {
	s, directory := newStore(t)
	lockDirectory(t, directory)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var publishing sync.WaitGroup
		for range 8 {
			publishing.Go(func() {
				_, err := publish(t, s, "a")
				if took := time.Since(began); err == nil || took > time.Second+10*time.Millisecond {
					t.Errorf("%v after %v; want an error after 1 s", err, took)
				}
			})
		}
		publishing.Wait()
	})
}

func TestPublish_DoesNotWaitForTheLockOfADirectoryThatWasReplaced(t *testing.T) {
	for name, replace := range replacements {
		t.Run(name, func(t *testing.T) {
			s, directory := newStore(t)
			lockDirectory(t, directory)
			synctest.Test(t, func(t *testing.T) {
				published := make(chan error)
				go func() {
					_, err := publish(t, s, "a")
					published <- err
				}()
				synctest.Wait() // It waits for the lock.
				replace(t, directory)
				must(t, <-published)
				if got := stampOf(t, s, "a"); got == 0 {
					t.Error("the event is not in the new directory")
				}
			})
		})
	}
}

// lockDirectory locks the directory until the test ends, as another program can.
func lockDirectory(t *testing.T, directory string) {
	t.Helper()
	other, err := os.Open(directory)
	must(t, err)
	t.Cleanup(func() { other.Close() })
	must(t, unix.Flock(int(other.Fd()), unix.LOCK_EX))
}

func TestPublish_OfAnotherUsersFile(t *testing.T) {
	needRoot(t)
	const me, other = 65534, 12345
	for name, test := range map[string]struct {
		owner int
		mode  os.FileMode
		works bool
	}{
		"works if the file is writable":                  {other, 0o666, true},
		"fails if the file is not writable":              {other, 0o644, false},
		"works on one's own file without any permission": {me, 0o000, true},
	} {
		t.Run(name, func(t *testing.T) {
			directory := newDirectory(t, "/dev/shm", 0o777|os.ModeSticky)
			path := filepath.Join(directory, "a.comet")
			mustWrite(t, path, "")
			before := time.Now().Add(time.Second) // Only the owner may set the stamp to 1 µs more.
			mustSetTime(t, path, before)
			must(t, os.Chown(path, test.owner, test.owner), os.Chmod(path, test.mode))
			s := &files.Store{Directory: directory}
			asUser(t, me, func() {
				last := event.StampOf(before)
				for range 50 {
					got, err := s.Publish(t.Context(), coretest.MustID("a"), nil)
					if works := err == nil && got != last; works != test.works {
						t.Errorf("the stamp is %v after %v, %v; want success %v", got, last, err, test.works)
						return
					}
					if got, err := s.Check(t.Context(), []event.ID{coretest.MustID("a")}); err != nil || got.Stamps[0] == 0 {
						t.Errorf("Check: %v, %v", got, err)
					}
					last = got
				}
			})
		})
	}
}

func TestPublish_InAFullFileSystem(t *testing.T) {
	s, directory := newStore(t)
	mount(t, directory, "tmpfs", "nr_inodes=3")
	var err error
	for _, name := range []string{"a", "b", "c", "d"} {
		if _, err = publish(t, s, name); err != nil {
			break
		}
	}
	if !errors.Is(err, unix.ENOSPC) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("publish a new event: %v; want ENOSPC, and not ErrUnavailable", err)
	}
	if _, err := publish(t, s, "a"); err != nil {
		t.Errorf("publish an existing event: %v", err)
	}
}

func BenchmarkPublish(b *testing.B) {
	for name, data := range map[string][]byte{"without data": nil, "with data": []byte("data")} {
		s := &files.Store{Directory: newDirectory(b, "/dev/shm", 0o700)}
		defer s.Close()
		publish := func() error {
			_, err := s.Publish(b.Context(), coretest.MustID("a"), data)
			return err
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				must(b, publish())
			}
		})
		b.Run(name+" by all processors", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := publish(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
