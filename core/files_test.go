package core_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"novcomet/core"
)

func newFiles(t testing.TB) (*core.Files, string) {
	directory := t.TempDir()
	return &core.Files{Directory: directory, Mode: 0o664}, directory
}

// stamp looks at one event.
func stamp(t testing.TB, store core.Store, name string) core.Stamp {
	t.Helper()
	snapshot, err := store.Stamps(t.Context(), []core.ID{mustID(t, name)})
	if err != nil {
		t.Fatal(err)
	}
	return snapshot.Stamps[0]
}

func mustWrite(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestStampsAreTheFilesMtimesInTheOrderAsked(t *testing.T) {
	store, directory := newFiles(t)
	for name, at := range map[string]time.Time{"a": time.Unix(1763800000, 123456789), "b": time.Unix(5, 0), "old": time.Unix(-7, 0)} {
		path := filepath.Join(directory, name+".comet")
		mustWrite(t, path, "")
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	before := core.StampOf(time.Now())
	ids := []core.ID{mustID(t, "b"), mustID(t, "nothing"), mustID(t, "a"), mustID(t, "old")}
	snapshot, err := store.Stamps(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	want := []core.Stamp{5_000_000, 0, 1763800000_123456, 1}
	for i := range want {
		if snapshot.Stamps[i] != want[i] {
			t.Errorf("%s: %v; want %v", ids[i], snapshot.Stamps[i], want[i])
		}
	}
	if snapshot.Now < before || snapshot.Now > core.StampOf(time.Now()) {
		t.Errorf("the store's clock is %v, some time before or after the look", snapshot.Now)
	}
}

// What is no regular file has no stamp, and a publication leaves it, and what it points to, as it is.
func TestOnlyRegularFilesAreEvents(t *testing.T) {
	for name, make := range map[string]func(path, outside string) error{
		"directory":        func(path, _ string) error { return os.Mkdir(path, 0o777) },
		"FIFO":             func(path, _ string) error { return unix.Mkfifo(path, 0o666) },
		"socket":           func(path, _ string) error { return unix.Mknod(path, unix.S_IFSOCK|0o666, 0) },
		"outward link":     func(path, outside string) error { return os.Symlink(outside, path) },
		"dangling link":    func(path, outside string) error { return os.Symlink(outside+"-missing", path) },
		"link to itself":   func(path, _ string) error { return os.Symlink(path, path) },
		"link to an event": func(path, _ string) error { return os.Symlink("good.comet", path) },
	} {
		t.Run(name, func(t *testing.T) {
			store, directory := newFiles(t)
			old := time.Unix(1000, 0)
			outside := filepath.Join(t.TempDir(), "outside")
			path := filepath.Join(directory, "x.comet")
			for _, file := range []string{outside, filepath.Join(directory, "good.comet")} {
				mustWrite(t, file, "as it was")
				if err := os.Chtimes(file, old, old); err != nil {
					t.Fatal(err)
				}
			}
			if err := make(path, outside); err != nil {
				t.Fatal(err)
			}
			before := lstat(t, path)

			if got := stamp(t, store, "x"); got != 0 {
				t.Errorf("its stamp is %v; want none", got)
			}
			if got := stamp(t, store, "good"); got != core.StampOf(old) {
				t.Errorf("the event beside it has the stamp %v; want %v", got, core.StampOf(old))
			}
			if _, err := store.Publish(t.Context(), mustID(t, "x")); err == nil || !strings.Contains(err.Error(), "x.comet") {
				t.Errorf("publishing it: %v; want an error that names it", err)
			}
			if after := lstat(t, path); after.Mtim != before.Mtim || after.Ino != before.Ino {
				t.Error("it was touched")
			}
			if _, err := os.Lstat(outside + "-missing"); err == nil {
				t.Error("the link's target was created")
			}
			if info, err := os.Stat(outside); err != nil || !info.ModTime().Equal(old) {
				t.Error("the link's target was touched")
			}
		})
	}
}

func lstat(t testing.TB, path string) (stat unix.Stat_t) {
	t.Helper()
	if err := unix.Lstat(path, &stat); err != nil {
		t.Fatal(err)
	}
	return stat
}

func TestAMissingDirectoryIsAStoreThatIsNotAvailable(t *testing.T) {
	notThere := filepath.Join(t.TempDir(), "gone")
	aFile := filepath.Join(t.TempDir(), "file")
	mustWrite(t, aFile, "")
	for _, directory := range []string{notThere, aFile} {
		store := &core.Files{Directory: directory, Mode: 0o664}
		_, look := store.Stamps(t.Context(), []core.ID{mustID(t, "a")})
		_, publish := store.Publish(t.Context(), mustID(t, "a"))
		for what, err := range map[string]error{"look": look, "publish": publish, "probe": store.Probe()} {
			if !errors.Is(err, core.ErrUnavailable) || !strings.Contains(err.Error(), directory) {
				t.Errorf("%s in %s: %v; want ErrUnavailable with the directory's name", what, directory, err)
			}
		}
	}
}

func TestADirectoryThatIsReplacedIsTheNewOne(t *testing.T) {
	store, directory := newFiles(t)
	if _, err := store.Publish(t.Context(), mustID(t, "a")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(directory, directory+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(directory, 0o777); err != nil {
		t.Fatal(err)
	}
	if got := stamp(t, store, "a"); got != 0 {
		t.Errorf("the stamp is still %v", got)
	}
	if _, err := store.Publish(t.Context(), mustID(t, "a")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(directory, "a.comet")); err != nil {
		t.Error(err)
	}
}
