package files_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
	"novcomet/core/store/files"
)

// dataOf returns what the event carries.
func dataOf(t testing.TB, s *files.Store, name string) string {
	t.Helper()
	contents, err := s.Data(t.Context(), []event.ID{coretest.MustID(name)}, 100)
	if err != nil || len(contents) != 1 {
		t.Fatalf("%q, %v", contents, err)
	}
	return string(contents[0].Data)
}

// A client that is answered with an older stamp may read in the middle of a write.
func TestData_ReadsAgainWhileAFileIsWritten(t *testing.T) {
	for name, test := range map[string]struct {
		writes int
		want   string
		after  time.Duration
	}{
		"a complete file":            {0, "0", time.Millisecond},
		"a file with one more write": {1, "01", 2 * time.Millisecond},
		"a file that never stays":    {20, "", 3 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			s, directory := newStore(t)
			path := filepath.Join(directory, "a.comet")
			synctest.Test(t, func(t *testing.T) { // The bubble's clock is behind the kernel's. So every file looks new.
				mustWrite(t, path, "0")
				go func() {
					file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
					if err != nil {
						t.Error(err)
						return
					}
					defer file.Close()
					for i := range test.writes {
						time.Sleep(900 * time.Microsecond)
						fmt.Fprint(file, i+1)
					}
				}()
				began := time.Now()
				if got := dataOf(t, s, "a"); got != test.want || time.Since(began) != test.after {
					t.Errorf("%q after %v; want %q after %v", got, time.Since(began), test.want, test.after)
				}
				time.Sleep(time.Second)
			})
		})
	}
}

func TestData_OfFilesThatCannotBeRead(t *testing.T) {
	writeFile := func(size int) func(path string) error {
		return func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("x"), size), 0o600) }
	}
	for name, test := range map[string]struct {
		create func(path string) error
		want   string
		err    error
	}{
		"a missing file":               {func(string) error { return nil }, "", nil},
		"an empty file":                {writeFile(0), "", nil},
		"a file as long as the limit":  {writeFile(100), strings.Repeat("x", 100), nil},
		"a file that is a byte longer": {writeFile(101), "", store.ErrTooLong},
		"a huge file": {func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<40))
		}, "", store.ErrTooLong},
		"a directory": {func(path string) error { return os.Mkdir(path, 0o700) }, "", nil},
		"a FIFO":      {func(path string) error { return unix.Mkfifo(path, 0o600) }, "", nil},
		"a link to a file": {func(path string) error {
			return errors.Join(os.WriteFile(path+"~", []byte("x"), 0o600), os.Symlink(path+"~", path))
		}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, directory := newStore(t)
			must(t, test.create(filepath.Join(directory, "a.comet")))
			mustWrite(t, filepath.Join(directory, "b.comet"), "other")
			contents, err := s.Data(t.Context(), []event.ID{coretest.MustID("a"), coretest.MustID("b")}, 100)
			must(t, err)
			if string(contents[0].Data) != test.want || !errors.Is(contents[0].Err, test.err) {
				t.Errorf("%q, %v; want %q, %v", contents[0].Data, contents[0].Err, test.want, test.err)
			}
			if string(contents[1].Data) != "other" {
				t.Errorf("the data of the other event is %q", contents[1].Data)
			}
		})
	}
}

// While a program has a lease on a file, others cannot open it.
func TestData_ReadsAgainIfAFileCannotBeOpened(t *testing.T) {
	for name, test := range map[string]struct {
		released time.Duration
		want     string
		err      error
	}{
		"for a moment": {1500 * time.Microsecond, "data", nil},
		"for longer":   {time.Second, "", unix.EWOULDBLOCK},
	} {
		t.Run(name, func(t *testing.T) {
			directory := newDirectory(t, "/dev/shm", 0o755)
			s := &files.Store{Directory: directory}
			mustWrite(t, filepath.Join(directory, "a.comet"), "data")
			mustWrite(t, filepath.Join(directory, "b.comet"), "other")
			file, err := os.OpenFile(filepath.Join(directory, "a.comet"), os.O_RDWR, 0)
			must(t, err)
			defer file.Close()
			lease := func(kind int) error {
				_, err := unix.FcntlInt(file.Fd(), unix.F_SETLEASE, kind)
				return err
			}
			must(t, lease(unix.F_WRLCK))
			synctest.Test(t, func(t *testing.T) {
				time.AfterFunc(test.released, func() {
					if err := lease(unix.F_UNLCK); err != nil {
						t.Error(err)
					}
				})
				contents, err := s.Data(t.Context(), []event.ID{coretest.MustID("a"), coretest.MustID("b")}, 100)
				must(t, err)
				if string(contents[0].Data) != test.want || !errors.Is(contents[0].Err, test.err) {
					t.Errorf("%q, %v; want %q, %v", contents[0].Data, contents[0].Err, test.want, test.err)
				}
				if string(contents[1].Data) != "other" {
					t.Errorf("the data of the other event is %q", contents[1].Data)
				}
				time.Sleep(time.Second)
			})
		})
	}
}

// One more file can be opened: the directory, but not the event's file.
func TestData_WithoutAFreeDescriptorIsUnavailable(t *testing.T) {
	s, directory := newStore(t)
	mustWrite(t, filepath.Join(directory, "a.comet"), "data")
	var before unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &before))
	next, err := os.Open(directory)
	must(t, err)
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(next.Fd()) + 1, Max: before.Max}))
	must(t, next.Close())
	_, err = s.Data(t.Context(), []event.ID{coretest.MustID("a")}, 100)
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &before))
	if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, unix.EMFILE) {
		t.Errorf("%v; want store.ErrUnavailable and EMFILE", err)
	}
	if got := dataOf(t, s, "a"); got != "data" {
		t.Errorf("afterwards: %q", got)
	}
}

// The file may become a link after its type was checked.
func TestData_DoesNotFollowALinkThatReplacesTheFile(t *testing.T) {
	s, directory := newStore(t)
	path, link := filepath.Join(directory, "a.comet"), filepath.Join(directory, "link")
	secret := filepath.Join(directory, "secret")
	for _, file := range []string{path, secret} {
		mustWrite(t, file, filepath.Base(file))
		mustSetTime(t, file, time.Unix(1000, 0))
	}
	must(t, os.Symlink(secret, link))
	done := make(chan struct{})
	exchanging := make(chan error)
	go func() {
		var err error
		for err == nil {
			select {
			case <-done:
				exchanging <- nil
				return
			default:
				err = unix.Renameat2(unix.AT_FDCWD, path, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE)
			}
		}
		exchanging <- err
	}()
	for range 3000 {
		if got := dataOf(t, s, "a"); got == "secret" {
			t.Error("the data is that of the link's target")
			break
		}
	}
	close(done)
	must(t, <-exchanging)
}

// A file that mktemp made has mode 0600.
func TestData_SaysHowToMakeAFileReadable(t *testing.T) {
	needRoot(t)
	directory := newDirectory(t, "/dev/shm", 0o755)
	path := filepath.Join(directory, "a.comet")
	must(t, os.WriteFile(path, []byte("x"), 0o600))
	mustSetTime(t, path, time.Now().Add(-time.Hour))
	s := &files.Store{Directory: directory}
	const other = 65534
	asUser(t, other, func() {
		contents, err := s.Data(t.Context(), []event.ID{coretest.MustID("a")}, 100)
		if err != nil || contents[0].Data != nil || contents[0].Err == nil {
			t.Errorf("%v, %v; want the error of this event alone", contents, err)
			return
		}
		for _, want := range []string{"permission denied", "chmod 0644"} {
			if !strings.Contains(contents[0].Err.Error(), want) {
				t.Errorf("%v; want %q in it", contents[0].Err, want)
			}
		}
	})
}
