package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"

	"novcomet/core/event"
	"novcomet/core/store/files"
)

// checkDirectory examines file.directory with the rights of this process. It reports whether the directory
// is usable.
func (c *checker) checkDirectory() bool {
	c.topic = "directory"
	dir, me := c.config.File.Directory, userName(os.Geteuid())
	info, err := os.Stat(dir)
	if err != nil {
		c.problem("create it: sudo install -d -m 2775 -o www-data -g www-data "+dir+
			"; in /run, use examples/systemd/novcomet.conf", "file.directory: %v", err)
		return false
	}
	c.ok("%s: %s", dir, describe(info))
	if os.Geteuid() == 0 {
		c.warn("run the check as the user of comet-fcgi: sudo -u www-data comet-fcgi check",
			"root may do everything: the rights of comet-fcgi are not tested")
	}
	switch {
	case unix.Access(dir, unix.X_OK) != nil:
		c.problem("run chmod a+x on it, or put "+me+" into its group", "%s may not enter %s", me, dir)
	case unix.Access(dir, unix.W_OK) != nil:
		c.warn("give it a group of "+me+" and mode 2775, unless nobody publishes by URL",
			"%s may not write there: an event that has no file yet cannot be published by URL", me)
	case info.Mode()&0o002 != 0 && info.Mode()&os.ModeSticky == 0:
		c.warn("run chmod o-w "+dir+", and give it a group of all users who publish",
			"every user of this machine can delete the events of all others")
	}
	s := &files.Store{Directory: dir, Mode: c.config.File.Mode}
	if err := s.Probe(); err != nil {
		c.problem("use a directory in /dev/shm or /run that comet-fcgi may read", "file.directory: %v", err)
		return false
	}
	c.checkEventFiles(dir, me)
	return true
}

// checkEventFiles looks for files that this user may not read or write.
func (c *checker) checkEventFiles(dir, me string) {
	paths, _ := filepath.Glob(filepath.Join(dir, "*.comet"))
	c.ok("it has %d events", len(paths))
	const most = 3 // names in a line
	for _, right := range []struct {
		mode      uint32
		do, found string
	}{
		{unix.R_OK, "run chmod 0644 on them, or chmod 0640 with a group of both users; mktemp makes files of mode 0600",
			"%s may not read %s: browsers get these events without their data"},
		{unix.W_OK, "run chmod g+w on them, with a group of both users; new files get file.mode",
			"%s may not publish %s by URL: they belong to other users"},
	} {
		var names []string
		for _, path := range paths {
			info, err := os.Lstat(path)
			if err == nil && info.Mode().IsRegular() && unix.Access(path, right.mode) != nil {
				names = append(names, filepath.Base(path))
			}
		}
		if len(names) > most {
			names = append(names[:most], fmt.Sprintf("and %d more", len(names)-most))
		}
		if len(names) > 0 {
			c.warn(right.do, right.found, me, strings.Join(names, ", "))
		}
	}
}

// checkInotify tests whether this user can watch file.directory.
func (c *checker) checkInotify() {
	c.topic = "inotify"
	const late = "until then publications are noticed up to one sleep late"
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		err = watcher.Add(c.config.File.Directory)
		watcher.Close()
	}
	me := userName(os.Geteuid())
	switch {
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENOSPC):
		c.problem("run sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288, "+
			"and write both into a file in /etc/sysctl.d; "+late,
			"%s has no inotify instance or watch left: %v", me, err)
	case err != nil:
		c.problem("let "+me+" read the directory; "+late, "%s cannot watch the directory: %v", me, err)
	default:
		c.ok("%s can watch the directory", me)
	}
}

// checkStore opens the store, and measures how long a check of it takes.
func (c *checker) checkStore(ctx context.Context) {
	c.topic = "store"
	opened, err := c.options.OpenStore(c.config)
	if err != nil {
		c.problem("correct the settings of the store", "%v", err)
		return
	}
	c.store = opened
	begin := time.Now()
	snapshot, err := opened.Check(ctx, []event.ID{c.id})
	if err == nil {
		err = snapshot.Partial
	}
	if err == nil {
		c.ok("the store %s answers after %v", c.config.Store, round(time.Since(begin)))
		return
	}
	remedy := "start it, or correct the group " + c.config.Store + " of comet.yaml"
	if c.config.Store == "files" {
		remedy = "see directory above"
	}
	c.problem(remedy+"; until it answers, polls end unchanged and nobody can publish",
		"the store %s does not answer: %v", c.config.Store, err)
}

// describe returns the mode and owners of a file.
func describe(info fs.FileInfo) string {
	stat := info.Sys().(*syscall.Stat_t)
	group := strconv.Itoa(int(stat.Gid))
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	return fmt.Sprintf("mode %04o, owner %s, group %s", stat.Mode&0o7777, userName(int(stat.Uid)), group)
}

func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "user " + id
}
