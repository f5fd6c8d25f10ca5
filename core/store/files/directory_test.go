package files_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
	"novcomet/core/store/files"
)

// replacements are the ways in which a path comes to lead to another directory.
var replacements = map[string]func(t *testing.T, directory string){
	"after a move": func(t *testing.T, directory string) {
		must(t, os.Rename(directory, directory+".old"), os.Mkdir(directory, 0o777))
	},
	"after an exchange": func(t *testing.T, directory string) {
		must(t, os.Mkdir(directory+".old", 0o777), exchange(directory, directory+".old"))
	},
	"after a removal, perhaps with the same inode": func(t *testing.T, directory string) {
		must(t, os.RemoveAll(directory), os.Mkdir(directory, 0o777))
	},
	"after a mount": func(t *testing.T, directory string) { mount(t, directory, "tmpfs", "") },
}

func exchange(one, other string) error {
	return unix.Renameat2(unix.AT_FDCWD, one, unix.AT_FDCWD, other, unix.RENAME_EXCHANGE)
}

func TestStore_UsesDirectoryThatReplacesTheOld(t *testing.T) {
	for name, replace := range replacements {
		t.Run(name, func(t *testing.T) {
			s, directory := newStore(t)
			a := coretest.MustID("a")
			_, err := s.Publish(t.Context(), a, []byte("old"))
			must(t, err)
			if got := stampOf(t, s, "a"); got == 0 {
				t.Error("the stamp is 0 before")
			}
			replace(t, directory)
			if got := stampOf(t, s, "a"); got != 0 {
				t.Errorf("the stamp is still %v", got)
			}
			if got := dataOf(t, s, "a"); got != "" {
				t.Errorf("the data is still %q", got)
			}
			stamp, err := s.Publish(t.Context(), a, []byte("new"))
			must(t, err)
			if got := stampOf(t, s, "a"); got != stamp {
				t.Errorf("Publish returned %v, but Check %v", stamp, got)
			}
			if content, err := os.ReadFile(filepath.Join(directory, "a.comet")); err != nil || string(content) != "new" {
				t.Errorf("the file contains %q, %v", content, err)
			}
			if paths := openBelow(t, directory); slices.ContainsFunc(paths, func(p string) bool { return p != directory }) {
				t.Errorf("these are open: %q; want the new directory alone", paths)
			}
			must(t, s.Close())
			if paths := openBelow(t, directory); len(paths) > 0 {
				t.Errorf("after Close, these are open: %q", paths)
			}
		})
	}
}

// openBelow returns the paths of this process's descriptors that begin with the directory's.
func openBelow(t *testing.T, directory string) (paths []string) {
	t.Helper()
	descriptors, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, descriptor := range descriptors {
		path, err := os.Readlink("/proc/self/fd/" + descriptor.Name())
		if err == nil && strings.HasPrefix(path, directory) {
			paths = append(paths, path)
		}
	}
	return paths
}

func TestStore_OpensTheDirectoryOnceForItsChecksAndOnceForItsPublications(t *testing.T) {
	s, directory := newStore(t)
	watch, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	must(t, err)
	defer unix.Close(watch)
	_, err = unix.InotifyAddWatch(watch, directory, unix.IN_CLOSE_NOWRITE|unix.IN_ONLYDIR)
	must(t, err)
	for range 3 {
		stampOf(t, s, "a")
		_, err := publish(t, s, "a")
		must(t, err)
	}
	if _, err := unix.Read(watch, make([]byte, 4096)); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("it was closed meanwhile: %v", err)
	}
	if paths := openBelow(t, directory); len(paths) != 2 {
		t.Errorf("these are open: %q", paths)
	}
}

// made is a publication and a check after it, at times of the machine's monotonic clock.
type made struct {
	Stamp, Seen  event.Stamp
	Began, Ended int64
}

// place is a directory that the path led to, from one time until another.
type place struct {
	path                  string
	entered, leaves, left int64 // leaves and left are the times around the step that replaced it
}

// Two processes publish an event with 8 goroutines each, and check it. The directory is replaced meanwhile,
// between any two of their steps.
func TestPublish_WhileTheDirectoryIsReplaced(t *testing.T) {
	const rounds, publicationsPer = 60, 50
	directory := filepath.Join(newDirectory(t, "/dev/shm", 0o700), "events")
	must(t, os.Mkdir(directory, 0o700))
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), publisherVariable+"="+directory)
	child.Stderr = os.Stderr
	stop, err := child.StdinPipe()
	must(t, err)
	output, err := child.StdoutPipe()
	must(t, err, child.Start())
	reports := json.NewDecoder(output)
	var all []made
	must(t, reports.Decode(&all)) // The child has begun.

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	publications := publishUntil(ctx, directory)
	places := []place{{directory, monotonic(), math.MaxInt64, math.MaxInt64}}
	for i := range rounds {
		for range publicationsPer {
			all = append(all, <-publications)
		}
		last := &places[i]
		last.path, last.leaves = fmt.Sprint(directory, i), monotonic()
		if i%2 == 0 {
			must(t, os.Mkdir(last.path, 0o700), exchange(directory, last.path))
			last.left = monotonic()
		} else {
			must(t, os.Rename(directory, last.path))
			last.left = monotonic()
			must(t, os.Mkdir(directory, 0o700)) // Until then, the store is unavailable.
		}
		places = append(places, place{directory, monotonic(), math.MaxInt64, math.MaxInt64})
	}
	for range publicationsPer {
		all = append(all, <-publications)
	}
	cancel()
	for p := range publications {
		all = append(all, p)
	}
	var others []made
	must(t, stop.Close(), reports.Decode(&others), child.Wait())
	all = append(all, others...)
	slices.SortFunc(all, func(a, b made) int { return cmp.Compare(a.Stamp, b.Stamp) })
	judged := 0
	for _, p := range places {
		judged += p.judge(t, all)
	}
	t.Logf("%d of %d publications judged, %d by the other process", judged, len(all), len(others))
	if judged < len(all)/4 {
		t.Error("too few publications were judged")
	}
}

// judge examines the publications that began and ended while the path led to this place, and the stamp in the
// end. All is sorted by stamp.
func (p place) judge(t *testing.T, all []made) (judged int) {
	t.Helper()
	end := stampOf(t, &files.Store{Directory: p.path}, "a")
	var last made
	for _, m := range all {
		if m.Began < p.entered || m.Ended > p.leaves {
			continue
		}
		judged++
		if m.Stamp == last.Stamp {
			t.Errorf("%s: two publications have the stamp %v", p.path, m.Stamp)
		}
		if m.Ended < last.Began {
			t.Errorf("%s: the stamp %v is later than that of a publication that began afterwards", p.path, last.Stamp)
		}
		if m.Seen < m.Stamp || end < m.Stamp {
			t.Errorf("%s: the stamp %v is seen as %v, and is %v in the end", p.path, m.Stamp, m.Seen, end)
		}
		last.Stamp, last.Began = m.Stamp, max(last.Began, m.Began)
	}
	if end != 0 && !slices.ContainsFunc(all, func(m made) bool { return m.Stamp == end && m.Began < p.left }) {
		t.Errorf("%s: the stamp is %v in the end, which is that of no publication before it was left", p.path, end)
	}
	return judged
}

const publisherVariable = "NOVCOMET_FILES_PUBLISHER"

// publishAsChild publishes until the parent closes its standard input.
func publishAsChild(directory string) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	publications := publishUntil(ctx, directory)
	all := []made{<-publications}
	reports := json.NewEncoder(os.Stdout)
	err := reports.Encode(all)
	all = nil
	for p := range publications {
		all = append(all, p)
	}
	if err = errors.Join(err, reports.Encode(all)); err != nil {
		panic(err)
	}
}

func publishUntil(ctx context.Context, directory string) <-chan made {
	const publishers = 8
	s := &files.Store{Directory: directory}
	publications := make(chan made)
	var publishing sync.WaitGroup
	for i := range publishers {
		var data []byte
		if i%2 == 0 {
			data = []byte("data")
		}
		publishing.Go(func() {
			for ctx.Err() == nil {
				p, err := publishAndCheck(s, data)
				switch {
				case err == nil:
					publications <- p
				case !errors.Is(err, store.ErrUnavailable):
					panic(err)
				}
			}
		})
	}
	go func() {
		publishing.Wait()
		_ = s.Close() // It always returns nil.
		close(publications)
	}()
	return publications
}

func publishAndCheck(s *files.Store, data []byte) (p made, err error) {
	id := coretest.MustID("a")
	p.Began = monotonic()
	if p.Stamp, err = s.Publish(context.Background(), id, data); err != nil {
		return made{}, err
	}
	snapshot, err := s.Check(context.Background(), []event.ID{id})
	p.Ended = monotonic()
	if err == nil {
		p.Seen = snapshot.Stamps[0]
	}
	if errors.Is(err, store.ErrUnavailable) {
		err = nil // The directory was away; the publication counts.
	}
	return p, err
}

func monotonic() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(err)
	}
	return now.Nano()
}
