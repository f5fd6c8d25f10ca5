package files

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	pkgerrors "github.com/pkg/errors"

	"novcomet/core/event"
	"novcomet/core/store"
)

// Watch watches the directory, and so all events, with one inotify instance and one watch. A user has 128
// instances (fs.inotify.max_user_instances), so a process should use only one. On a network file system,
// inotify does not report what other machines change.
func (s *Store) Watch(ctx context.Context, _ store.Interest, changed func(ids ...event.ID)) error {
	if s.NoWatch {
		return errors.ErrUnsupported
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return pkgerrors.Wrap(err, "inotify (sysctl fs.inotify.max_user_instances)")
	}
	defer watcher.Close()
	for {
		if err := s.watchDirectory(ctx, watcher, changed); err != nil {
			return err
		}
	}
}

// watchDirectory reports changes until the path leads to another directory. Then it returns nil.
func (s *Store) watchDirectory(ctx context.Context, watcher *fsnotify.Watcher, changed func(ids ...event.ID)) error {
	const checkInterval = 2 * time.Second // inotify does not report that a file system is mounted over the directory.
	var watched directory
	if _, err := watched.at(s.Directory); err != nil {
		return err
	}
	defer watched.close()
	if err := watcher.Add(s.Directory); err != nil {
		return pkgerrors.Wrap(err, "watch the directory")
	}
	changed()
	check := time.NewTicker(checkInterval)
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case change := <-watcher.Events:
			if id, ok := idOf(change.Name); ok {
				changed(id)
			}
		case <-watcher.Errors: // The kernel's queue was full, and changes were lost.
			changed()
		case <-check.C:
			if !watched.isAt(s.Directory) {
				_ = watcher.Remove(s.Directory) // It fails if the kernel has dropped the watch.
				return nil
			}
		}
	}
}

// idOf returns the id of the event whose file has this path. Other programs write to /dev/shm all the time,
// so the cheap test comes first.
func idOf(path string) (event.ID, bool) {
	name, ok := strings.CutSuffix(filepath.Base(path), ".comet")
	if !ok {
		return event.ID{}, false
	}
	id, err := event.ParseID(name)
	return id, err == nil
}
