package core

import (
	"context"
	stderrors "errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/pkg/errors"
)

var _ Notifier = (*Files)(nil)

// Notify watches the directory, with one inotify instance and one watch. A user has 128 instances
// (fs.inotify.max_user_instances), so a process should have one alone. What other machines do on a network file system it
// can't tell.
func (f *Files) Notify(ctx context.Context, changed func(...ID)) error {
	if f.Unwatched {
		return stderrors.ErrUnsupported
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return errors.Wrap(err, "inotify (sysctl fs.inotify.max_user_instances)")
	}
	defer watcher.Close()
	for {
		if err := f.watch(ctx, watcher, changed); err != nil {
			return err
		}
	}
}

// watch tells what happens in the directory, until that is not the one any more that has this name.
func (f *Files) watch(ctx context.Context, watcher *fsnotify.Watcher, changed func(...ID)) error {
	const looksForAnother = 2 * time.Second // A file system may be mounted over it, of which nothing tells.
	watched, err := os.Stat(f.Directory)
	if err != nil {
		return errors.Wrap(err, "watch the directory")
	}
	if err := watcher.Add(f.Directory); err != nil {
		return errors.Wrap(err, "watch the directory")
	}
	changed()
	again := time.NewTicker(looksForAnother)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case event := <-watcher.Events:
			if id, ok := eventOf(event.Name); ok {
				changed(id)
			}
		case <-watcher.Errors: // The kernel's queue was full, so something was missed.
			changed()
		case <-again.C:
			// Where it was removed and made again, it may look the same, but the kernel has dropped the watch.
			if !f.is(watched) || len(watcher.WatchList()) == 0 {
				// There may be no watch any more to be removed.
				_ = watcher.Remove(f.Directory)
				return nil
			}
		}
	}
}

func (f *Files) is(watched fs.FileInfo) bool {
	now, err := os.Stat(f.Directory)
	return err == nil && os.SameFile(now, watched)
}

// eventOf returns the event whose file has this path. Other programs write to /dev/shm all the time: the name is looked at
// before anything else is done.
func eventOf(path string) (ID, bool) {
	name, ok := strings.CutSuffix(filepath.Base(path), ".comet")
	if !ok {
		return ID{}, false
	}
	id, err := ParseID(name)
	return id, err == nil
}
