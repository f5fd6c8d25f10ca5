package soak

import (
	"errors"
	"math/rand/v2"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Each disturbance takes something away, and gives it back.
func TestFileStore_DisturbsItsFileSystem(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT RUN: it mounts a file system, so it needs root")
	}
	h := &Host{}
	defer h.Close()
	f, err := openFiles(h, true)
	if err != nil {
		t.Fatal(err)
	}
	write := func() error { return os.WriteFile(f.file("a"), []byte("data"), 0o644) }
	for name, test := range map[string]struct {
		start func(occurrence) (stop, error)
		want  error
	}{
		"full":      {f.fill, unix.ENOSPC},
		"read-only": {f.makeReadOnly, unix.EROFS},
		"away":      {f.moveAway, unix.ENOENT},
		"replaced":  {f.replace, unix.ENOENT},
	} {
		if err := write(); err != nil {
			t.Fatalf("before %s: %v", name, err)
		}
		before, _ := f.stamp(t.Context(), "a")
		end, err := test.start(occurrence{&disturbanceRecord{}, t.Context(), rand.New(rand.NewPCG(1, 1))})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := os.WriteFile(f.file("b"), make([]byte, 5000), 0o644); !errors.Is(err, test.want) {
			t.Errorf("%s: writing: %v, want %v", name, err, test.want)
		}
		if err := end(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := f.stamp(t.Context(), "a"); err != nil || after != before {
			t.Errorf("%s: the stamp is %v, %v; it was %v", name, after, err, before)
		}
	}
}

func TestFileStore_FloodOverflowsTheQueueOfInotify(t *testing.T) {
	f := &fileStore{events: t.TempDir()}
	watch, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(watch)
	if _, err := unix.InotifyAddWatch(watch, f.events, unix.IN_CREATE|unix.IN_MODIFY); err != nil {
		t.Fatal(err)
	}
	if err := f.flood(); err != nil {
		t.Fatal(err)
	}
	var last []byte
	for buffer := make([]byte, 1<<16); ; {
		n, err := unix.Read(watch, buffer)
		if err != nil {
			break
		}
		last = append([]byte(nil), buffer[:n]...)
	}
	// The last record has no name. Its mask follows the number of the watch.
	if len(last) < unix.SizeofInotifyEvent || last[len(last)-unix.SizeofInotifyEvent+5] != unix.IN_Q_OVERFLOW>>8 {
		t.Error("the queue has room")
	}
}
