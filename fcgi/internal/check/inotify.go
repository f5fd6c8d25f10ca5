package check

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/pkg/errors"
	"golang.org/x/sys/unix"
)

const inotify = "inotify"

// watching looks at whether changes in the directory are told of at once.
func (c *checker) watching() {
	if !c.config.File.Notify {
		c.ok(inotify, "file.notify is false: publications are noticed up to %v late", c.config.Sleep)
		return
	}
	who := c.user()
	most := kernel("fs/inotify/max_user_instances")
	used, counted := instances(who.uid)
	const raise = "run sysctl fs.inotify.max_user_instances=512, and write it into a file in /etc/sysctl.d; until then publications are noticed up to one sleep late"
	switch {
	case counted && used >= most:
		c.problem(inotify, raise, "%s uses all %d inotify instances", who, most)
	case counted && used*10 >= most*9:
		c.warn(inotify, raise, "%s uses %d of %d inotify instances", who, used, most)
	case counted:
		c.ok(inotify, "%s uses %d of %d inotify instances", who, used, most)
	}
	err := told(c.config.File.Directory)
	switch {
	case err == nil:
		c.ok(inotify, "the kernel reports changes in %s", c.config.File.Directory)
	case errors.Is(err, unix.EMFILE):
		if !counted || used < most {
			c.problem(inotify, raise, "%s has no inotify instance left", self())
		}
	case errors.Is(err, unix.ENOSPC):
		c.problem(inotify, "run sysctl fs.inotify.max_user_watches=524288, and write it into a file in /etc/sysctl.d", "%s has no inotify watch left", self())
	case errors.Is(err, os.ErrPermission):
		c.ok(inotify, "%s may not write in %s, so this was not tested", self(), c.config.File.Directory)
	default:
		c.problem(inotify, "use a directory on a local file system; until then publications are noticed up to one sleep late", "%v", err)
	}
}

// instances counts those of a user, if all of them can be seen.
func instances(uid int) (n int, ok bool) {
	if me := os.Geteuid(); me != 0 && me != uid {
		return 0, false
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return 0, false
	}
	of := map[string]int{}
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || target != "anon_inode:inotify" {
			continue
		}
		process, _, _ := strings.Cut(strings.TrimPrefix(link, "/proc/"), "/")
		if _, known := of[process]; !known {
			of[process] = -1
			if info, err := os.Stat("/proc/" + process); err == nil {
				of[process] = owner(info)
			}
		}
		if of[process] == uid {
			n++
		}
	}
	return n, true
}

// told reports whether a change in the directory is told of: nil, or what is wrong.
func told(dir string) error {
	const patience = 5 * time.Second
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer watcher.Close()
	if err := watcher.Add(dir); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, ".novcomet-check-*") // A name that starts with a dot is no event.
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	late := time.After(patience)
	for {
		select {
		case event := <-watcher.Events:
			if event.Name == file.Name() {
				return nil
			}
		case err := <-watcher.Errors:
			return err
		case <-late:
			return errors.Errorf("the kernel does not report changes in %s", dir)
		}
	}
}
