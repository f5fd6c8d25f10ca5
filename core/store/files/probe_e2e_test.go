//go:build e2e

package files_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"novcomet/core/event"
	"novcomet/core/store/files"
	"novcomet/core/store/files/coarsetest"
)

func TestProbe_RefusesAFileSystemThatKeepsOnlySeconds(t *testing.T) {
	directory := coarsetest.Mount(t)
	for name, probe := range probes {
		t.Run(name, func(t *testing.T) {
			before := namesIn(t, directory)
			s := &files.Store{Directory: directory}
			defer s.Close()
			err := probe(s)
			if !errors.Is(err, files.ErrCoarse) {
				t.Fatalf("%v; want ErrCoarse", err)
			}
			for _, want := range []string{directory, "units of 1s", "/dev/shm", "/run"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v; want %q in it", err, want)
				}
			}
			if after := namesIn(t, directory); !slices.Equal(after, before) {
				t.Errorf("the directory contains %q; want %q", after, before)
			}
		})
	}
}

// comet.cgi publishes without Probe. A publication that nobody could notice must fail there, too.
func TestPublish_RefusesTheSecondOfASecondWhereOnlySecondsAreKept(t *testing.T) {
	s := &files.Store{Directory: coarsetest.Mount(t)}
	defer s.Close() // Otherwise the file system cannot be unmounted.
	var last event.Stamp
	for range 100 {
		stamp, err := publish(t, s, "a")
		if errors.Is(err, files.ErrCoarse) {
			return
		}
		if err != nil || stamp <= last {
			t.Fatalf("the stamp is %v after %v, %v", stamp, last, err)
		}
		last = stamp
	}
	t.Error("100 publications, and no two in the same second")
}
