package soak

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	pkgerrors "github.com/pkg/errors"
	"golang.org/x/sys/unix"

	"novcomet/examples/internal/launch"
)

// fileStore keeps the events in a directory on a small file system of its own, so that it can be full, read
// only, or away.
type fileStore struct {
	mount  string // where the file system is mounted; empty: there is none
	events string // the directory of the events; empty before the site has one of its own
}

const mountSize = 4 << 20 // bytes

func openFiles(h *Host, disturb bool) (*fileStore, error) {
	if !disturb {
		return &fileStore{}, nil
	}
	f := &fileStore{mount: h.TempDir()}
	f.events = filepath.Join(f.mount, "events")
	if err := unix.Mount("tmpfs", f.mount, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0755", mountSize)); err != nil {
		return nil, pkgerrors.Wrap(err, "mounting a file system for the events (run this as root)")
	}
	h.Cleanup(func() { _ = unix.Unmount(f.mount, unix.MNT_DETACH) }) // comet-fcgi keeps it open until it has ended.
	err := os.Mkdir(f.events, 0o777)
	if err == nil {
		err = os.Chmod(f.events, 0o777) // The umask has removed bits.
	}
	return f, pkgerrors.Wrap(err, "making a directory of events")
}

func (f *fileStore) configure(o *launch.Options) { o.Directory = f.events }

// scripts are ways to publish by a shell. FILE is the event's file, NEW another one, and DATA its data. Two
// programs that write a file at the same time mix their data. A renamed file has the time of its last write
// until it is touched.
var scripts = []struct {
	name        string
	data, alone bool
	text        string
}{
	{"touch", false, false, "touch FILE"},
	{"rewriting", true, true, "echo 'DATA' > FILE"},
	{"two at once", true, true, "touch FILE & echo 'DATA' > FILE && wait $!"},
	{"renaming", true, true, "echo 'DATA' > NEW && mv -f NEW FILE && touch -c FILE"},
}

func (f *fileStore) ways(site *launch.Site) (ways []way) {
	if f.events == "" {
		f.events = site.Events
	}
	for _, script := range scripts {
		ways = append(ways, way{script.name, script.data, script.alone, func(ctx context.Context, id, data string) error {
			text := strings.NewReplacer("FILE", f.file(id), "NEW", f.events+"/.new-"+id, "DATA", data).Replace(script.text)
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
	all := []disturbance{
		{"full", group, 10 * time.Second, f.fill},
		{"read-only", group, 10 * time.Second, f.makeReadOnly},
		{"away", group, 10 * time.Second, f.moveAway},
		{"replaced", group, time.Second, f.replace},
		{clockKind, clockKind, 3 * time.Second, func(o occurrence) (stop, error) { return f.setClock(s, o) }},
	}
	if s.options.Server.HasDaemon() {
		all = append(all, disturbance{"overflow", group, 2 * time.Second, func(occurrence) (stop, error) {
			s.comet.Lock()
			thaw, err := freeze(s.site.DaemonPID())
			if err != nil {
				s.comet.Unlock()
				return nil, err
			}
			return func() error { defer s.comet.Unlock(); return thaw() }, f.flood()
		}})
	}
	return all
}

// fill fills the file system.
func (f *fileStore) fill(occurrence) (stop, error) {
	path := filepath.Join(f.mount, "filler")
	if err := os.WriteFile(path, make([]byte, mountSize), 0o600); !errors.Is(err, unix.ENOSPC) {
		return nil, fmt.Errorf("the file system is not full: %v", err)
	}
	return func() error { return pkgerrors.Wrap(os.Remove(path), "emptying the file system") }, nil
}

func (f *fileStore) makeReadOnly(o occurrence) (stop, error) {
	remount := func(flags uintptr) error {
		return pkgerrors.Wrap(unix.Mount("", f.mount, "", unix.MS_REMOUNT|flags, ""), "remounting the file system")
	}
	ctx, cancel := context.WithTimeout(o.ctx, 10*time.Second)
	defer cancel()
	// It fails while a file is being written.
	err := launch.Until(ctx, 5*time.Millisecond, nil, func() error { return remount(unix.MS_RDONLY) })
	return func() error { return remount(0) }, err
}

func (f *fileStore) moveAway(occurrence) (stop, error) {
	away := filepath.Join(f.mount, "away")
	move := func(from, to string) error { return pkgerrors.Wrap(os.Rename(from, to), "moving the directory") }
	return func() error { return move(away, f.events) }, move(f.events, away)
}

// replace moves the directory away, and puts a copy in its place.
func (f *fileStore) replace(occurrence) (stop, error) {
	moveBack, err := f.moveAway(occurrence{})
	if err != nil {
		return nil, err
	}
	away, copied := filepath.Join(f.mount, "away"), filepath.Join(f.mount, "copy")
	return func() error {
		output, err := exec.Command("cp", "-a", away, copied).CombinedOutput()
		if err != nil {
			_ = moveBack()
			return pkgerrors.Wrapf(err, "copying the directory: %s", output)
		}
		if err := os.Rename(copied, f.events); err != nil {
			return pkgerrors.Wrap(err, "moving the copy")
		}
		return pkgerrors.Wrap(os.RemoveAll(away), "removing the old directory")
	}, nil
}

// flood makes as many changes as the kernel queues for a process that watches the directory.
func (f *fileStore) flood() error {
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		return pkgerrors.Wrap(err, "reading the limit of inotify")
	}
	most, err := strconv.Atoi(strings.TrimSpace(string(text)))
	for i := range most + 1 { // The kernel merges changes of one file in succession.
		if err == nil {
			err = os.WriteFile(filepath.Join(f.events, fmt.Sprint("flood-", i%2)), nil, 0o600)
		}
	}
	return pkgerrors.Wrap(err, "filling the queue of inotify")
}

// setClock gives some files the times that they would get while the clock is set forward for a while. (The
// kernel sets the times of files, and its clock is the machine's.)
func (f *fileStore) setClock(s *soak, o occurrence) (stop, error) {
	const files, most = 6, 6
	ahead := time.Duration(1+o.random.IntN(most)) * time.Second
	chosen := make([]string, files)
	for i, n := range o.random.Perm(len(s.events.quiet))[:files] {
		chosen[i] = s.events.quiet[n]
	}
	o.Target, o.Ahead = strings.Join(chosen, ","), toMicros(ahead)
	publish := func(ahead time.Duration) error {
		for _, id := range chosen {
			if _, err := f.stamp(o.ctx, id); err != nil {
				continue // This program would become the owner of a new file.
			}
			s.publish(o.ctx, way{name: "clock", publish: func(context.Context, string, string) error {
				set := time.Now().Add(ahead)
				return pkgerrors.Wrap(os.Chtimes(f.file(id), set, set), "setting the time of a file")
			}}, id)
		}
		return nil
	}
	return func() error { return publish(0) }, publish(ahead)
}
