//go:build e2e

package files_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"testing"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
	"novcomet/core/store/files"
)

func TestCheck_BrokenFileLeavesOtherEvents(t *testing.T) {
	needRoot(t)
	image, directory := filepath.Join(t.TempDir(), "ext2"), t.TempDir()
	for _, command := range [][]string{
		{"mkfs.ext2", "-q", image, "1M"},
		{"debugfs", "-w", "-R", "write /dev/null broken.comet", image},
		{"debugfs", "-w", "-R", "write /dev/null good.comet", image},
		{"debugfs", "-w", "-R", "clri broken.comet", image}, // It clears the inode.
		{"mount", "-o", "loop", image, directory},
	} {
		if output, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", command, err, output)
		}
	}
	t.Cleanup(func() { must(t, exec.Command("umount", directory).Run()) })
	s := &files.Store{Directory: directory}
	defer s.Close() // Otherwise the file system cannot be unmounted.
	broken, good := coretest.MustID("broken"), coretest.MustID("good")
	published, err := publish(t, s, "good")
	must(t, err)

	snapshot, err := s.Check(t.Context(), []event.ID{broken, good})
	must(t, err)
	if stamps := snapshot.Stamps; stamps[0] != store.Unknown || stamps[1] != published {
		t.Errorf("stamps %v; want that of %v alone", stamps, good)
	}
	if !errors.Is(snapshot.Partial, store.ErrUnavailable) {
		t.Errorf("%v; want ErrUnavailable", snapshot.Partial)
	}
	if _, err := s.Check(t.Context(), []event.ID{broken}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("no stamp could be read: %v; want ErrUnavailable", err)
	}
}
