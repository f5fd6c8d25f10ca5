package core_test

import (
	"os"
	"testing"

	"novcomet/core"
	"novcomet/core/storetest"
)

// Where the kernel's stamps are fine and where they are not, where changes are told of and where they are not.
func TestFilesKeepTheContractOfAStore(t *testing.T) {
	for name, files := range map[string]core.Files{
		"in memory with fine stamps":   {Directory: "/dev/shm", Mode: 0o664, Fine: true},
		"in memory with coarse stamps": {Directory: "/dev/shm", Mode: 0o664},
		"on a disk, unwatched":         {Directory: os.TempDir(), Mode: 0o664, Unwatched: true},
	} {
		t.Run(name, func(t *testing.T) {
			var directory string
			storetest.Test(t, storetest.Subject{
				Place: func(t testing.TB) string { directory = newDirectory(t, files.Directory); return directory },
				Open: func(_ testing.TB, place string) core.Store {
					store := files
					store.Directory = place
					return &store
				},
				Interrupt: func(t testing.TB) func() {
					mustRename(t, directory, directory+".away")
					return func() { mustRename(t, directory+".away", directory) }
				},
			})
		})
	}
}

func TestAStoreInMemoryKeepsTheContractOfAStore(t *testing.T) {
	storetest.Test(t, storetest.Subject{Open: func(testing.TB, string) core.Store { return newMemory() }})
}

func newDirectory(t testing.TB, parent string) string {
	t.Helper()
	directory, err := os.MkdirTemp(parent, "novcomet-test-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(directory) })
	return directory
}

func mustRename(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
