package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"

	"novcomet/examples/internal/launch"
)

// fileStore keeps the events in a directory on a small file system of its own, so that it can be full, read
// only, or away.
type fileStore struct {
	mount   string     // where the file system is mounted; empty: there is none
	events  string     // the directory of the events; empty before the site has one of its own
	inPlace sync.Mutex // Two programs that write a file at the same time mix their data.
}

func openFiles(h *host, disturb bool) (*fileStore, error) {
	if !disturb {
		return &fileStore{}, nil
	}
	f := &fileStore{mount: h.TempDir()}
	f.events = filepath.Join(f.mount, "events")
	if err := unix.Mount("tmpfs", f.mount, "tmpfs", 0, "size=4m,mode=0755"); err != nil {
		return nil, errors.Wrap(err, "mounting a file system for the events (run this as root)")
	}
	h.Cleanup(func() { _ = unix.Unmount(f.mount, unix.MNT_DETACH) }) // comet-fcgi keeps it open until it has ended.
	return f, f.makeDirectory(f.events)
}

// makeDirectory makes a directory that every user may write.
func (f *fileStore) makeDirectory(path string) error {
	err := os.Mkdir(path, 0o777)
	if err == nil {
		err = os.Chmod(path, 0o777)
	}
	return errors.Wrap(err, "making a directory of events")
}

func (f *fileStore) settings(endpoint map[string]string) map[string]string { return endpoint }
func (f *fileStore) directory() string                                     { return f.events }

// scripts are ways to publish by a shell. FILE is the event's file, NEW another one, and DATA its data.
var scripts = []struct {
	name string
	data bool
	text string
}{
	{"touch", false, "touch FILE"},
	{"rewriting", true, "echo 'DATA' > FILE"},
	{"two at once", true, "touch FILE & echo 'DATA' > FILE && wait $!"},
	{"renaming", true, "echo 'DATA' > NEW && mv -f NEW FILE && touch -c FILE"},
}

func (f *fileStore) ways(site *launch.Site) (ways []way) {
	if f.events == "" {
		f.events = site.Events
	}
	for _, script := range scripts {
		ways = append(ways, way{script.name, script.data, func(ctx context.Context, id, data string) error {
			text := strings.NewReplacer("FILE", f.file(id), "NEW", f.events+"/.new-"+id, "DATA", data).Replace(script.text)
			if strings.Contains(text, "' > "+f.file(id)) {
				f.inPlace.Lock()
				defer f.inPlace.Unlock()
			}
			if site.Shell(ctx, text) != nil { // The error has the whole script.
				return errors.New("the script failed")
			}
			return nil
		}})
	}
	return ways
}

func (f *fileStore) file(id string) string { return filepath.Join(f.events, id+".comet") }

func (f *fileStore) stamp(_ context.Context, id string) (micros, error) {
	info, err := os.Stat(f.file(id))
	if err != nil {
		return 0, errors.New("the file is missing")
	}
	return micros(info.ModTime().UnixMicro()), nil
}

func (f *fileStore) disturbances(s *soak) []disturbance {
	if f.mount == "" {
		return nil
	}
	const group = "directory"
	return []disturbance{
		{"full", group, 10 * time.Second, f.fill},
		{"read-only", group, 10 * time.Second, f.makeReadOnly},
		{"away", group, 10 * time.Second, f.moveAway},
		{"replaced", group, time.Second, f.replace},
		{"overflow", group, 2 * time.Second, func(context.Context, *rand.Rand, *disturbed) (func() error, error) {
			return f.overflow(s.site.DaemonPID())
		}},
		{"clock", "clock", 3 * time.Second, func(ctx context.Context, r *rand.Rand, d *disturbed) (func() error, error) {
			return f.setClock(ctx, s, r, d)
		}},
	}
}

// fill fills the file system.
func (f *fileStore) fill(context.Context, *rand.Rand, *disturbed) (func() error, error) {
	path := filepath.Join(f.mount, "filler")
	file, err := os.Create(path)
	if err != nil {
		return nil, errors.Wrap(err, "filling the file system")
	}
	defer file.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = file.Write(block)
	}
	if !errors.Is(err, unix.ENOSPC) {
		return nil, errors.Wrap(err, "filling the file system")
	}
	return func() error { return errors.Wrap(os.Remove(path), "emptying the file system") }, nil
}

func (f *fileStore) makeReadOnly(ctx context.Context, _ *rand.Rand, _ *disturbed) (func() error, error) {
	remount := func(flags uintptr) error {
		return errors.Wrap(unix.Mount("", f.mount, "", unix.MS_REMOUNT|flags, ""), "remounting the file system")
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err := launch.Until(ctx, 5*time.Millisecond, nil, func() error { return remount(unix.MS_RDONLY) }) // A file is being written.
	return func() error { return remount(0) }, err
}

func (f *fileStore) moveAway(context.Context, *rand.Rand, *disturbed) (func() error, error) {
	away := filepath.Join(f.mount, "away")
	move := func(from, to string) error { return errors.Wrap(os.Rename(from, to), "moving the directory") }
	return func() error { return move(away, f.events) }, move(f.events, away)
}

// replace moves the directory away, and puts a copy in its place.
func (f *fileStore) replace(context.Context, *rand.Rand, *disturbed) (func() error, error) {
	stop, err := f.moveAway(nil, nil, nil)
	if err != nil {
		return nil, err
	}
	away, copied := filepath.Join(f.mount, "away"), filepath.Join(f.mount, "copy")
	return func() error {
		output, err := exec.Command("cp", "-a", away, copied).CombinedOutput()
		if err != nil {
			_ = stop()
			return errors.Wrapf(err, "copying the directory: %s", output)
		}
		if err := os.Rename(copied, f.events); err != nil {
			return errors.Wrap(err, "moving the copy")
		}
		return errors.Wrap(os.RemoveAll(away), "removing the old directory")
	}, nil
}

// overflow stops comet-fcgi, and makes more changes than the kernel's queue for it has room for.
func (f *fileStore) overflow(pid int) (stop func() error, err error) {
	thaw, err := freeze(pid)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = thaw()
		}
	}()
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		return nil, errors.Wrap(err, "reading the limit of inotify")
	}
	var most int
	if _, err := fmt.Sscan(string(text), &most); err != nil {
		return nil, errors.Wrap(err, "reading the limit of inotify")
	}
	names := []string{filepath.Join(f.events, "overflow-0"), filepath.Join(f.events, "overflow-1")}
	for i := range most + len(names) { // The kernel merges changes of one file in succession.
		name := names[i%len(names)]
		if i < len(names) {
			err = os.WriteFile(name, nil, 0o600)
		} else {
			err = os.Chmod(name, 0o600)
		}
		if err != nil {
			return nil, errors.Wrap(err, "filling the queue of inotify")
		}
	}
	return thaw, nil
}

// setClock gives some files the times that they would get while the clock is set forward for a while. (The
// kernel sets the times of files, and its clock is the machine's.)
func (f *fileStore) setClock(ctx context.Context, s *soak, r *rand.Rand, d *disturbed) (func() error, error) {
	const files, most = 8, 6
	ahead := time.Duration(1+r.IntN(most)) * time.Second
	chosen := chooseDifferent(r.Perm(len(s.events.quiet)), s.events.quiet, files)
	d.Target, d.Ahead = strings.Join(chosen, ","), toMicros(ahead)
	publish := func(ahead time.Duration) error {
		for _, id := range chosen {
			if _, err := f.stamp(ctx, id); err != nil {
				continue // This program would become the owner of a new file.
			}
			s.publish(ctx, way{"clock", false, func(context.Context, string, string) error {
				set := time.Now().Add(ahead)
				return errors.Wrap(os.Chtimes(f.file(id), set, set), "setting the time of a file")
			}}, id)
		}
		return nil
	}
	return func() error { return publish(0) }, publish(ahead)
}
