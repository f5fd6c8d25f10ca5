//go:build e2e

package core_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"novcomet/core"
	"novcomet/core/coarsetest"
)

func TestProbe_RefusesAFileSystemThatKeepsOnlySeconds(t *testing.T) {
	directory := coarsetest.Mount(t)
	for name, probe := range probes {
		t.Run(name, func(t *testing.T) {
			before, _ := os.ReadDir(directory)
			err := probe(&core.Files{Directory: directory})
			if !errors.Is(err, core.ErrCoarse) {
				t.Fatalf("%v; want ErrCoarse", err)
			}
			for _, want := range []string{directory, "units of 1s", "/dev/shm", "/run"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing in: %v", want, err)
				}
			}
			if after, _ := os.ReadDir(directory); len(after) != len(before) {
				t.Errorf("left behind: %v", after)
			}
		})
	}
}

// Without a probe, as comet.cgi publishes, no publication is said to have happened that nobody could notice.
func TestFiles_SaysWhyAPublicationIsRefusedWhereOnlySecondsAreKept(t *testing.T) {
	store := &core.Files{Directory: coarsetest.Mount(t)}
	var last core.Stamp
	for range 100 {
		stamp, err := store.Publish(t.Context(), mustID(t, "a"))
		if errors.Is(err, core.ErrCoarse) {
			return
		}
		if err != nil || stamp <= last {
			t.Fatalf("published at %v after %v, %v", stamp, last, err)
		}
		last = stamp
	}
	t.Error("100 publications, and none was in the second of another")
}
