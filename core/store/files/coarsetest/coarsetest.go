// Package coarsetest mounts a real file system that keeps only whole seconds of a file's time, for tests.
package coarsetest

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Mount returns the root of a small ext2 file system with inodes of 128 bytes, and unmounts it when the test
// ends. Mount needs root, mkfs.ext2 and loop devices, and fails the test without them.
func Mount(t testing.TB) (directory string) {
	t.Helper()
	image, directory := filepath.Join(t.TempDir(), "ext2"), t.TempDir()
	run(t, "mkfs.ext2", "-q", "-I", "128", image, "1M")
	run(t, "mount", "-o", "loop", image, directory)
	t.Cleanup(func() { run(t, "umount", directory) })
	return directory
}

func run(t testing.TB, program string, arguments ...string) {
	t.Helper()
	if output, err := exec.Command(program, arguments...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v: %s", program, arguments, err, output)
	}
}
