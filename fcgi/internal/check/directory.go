package check

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"

	"novcomet/core/store/files"
)

// remoteFileSystems are those where inotify does not report the changes of other machines.
var remoteFileSystems = map[int64]string{
	unix.NFS_SUPER_MAGIC: "NFS", unix.SMB_SUPER_MAGIC: "SMB", unix.SMB2_SUPER_MAGIC: "SMB", unix.CIFS_SUPER_MAGIC: "SMB",
	unix.FUSE_SUPER_MAGIC: "FUSE", unix.V9FS_MAGIC: "9p", unix.CEPH_SUPER_MAGIC: "Ceph", unix.AFS_SUPER_MAGIC: "AFS",
}

// checkDirectory examines file.directory with the rights of this process. It reports whether the
// directory exists.
func (c *checker) checkDirectory() bool {
	c.topic = "directory"
	dir := c.config.File.Directory
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		c.problem("create it: sudo install -d -m 2775 -o www-data -g www-data "+dir+
			"; in /run, use examples/systemd/novcomet.conf", "file.directory: %v", err)
		return false
	case !info.IsDir():
		c.problem("set file.directory to a directory", "file.directory: %s (%s) is not a directory", dir, describe(info))
		return false
	}
	c.ok("%s: %s", dir, describe(info))
	me := userName(os.Geteuid())
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
	c.checkFileSystem(dir)
	c.checkEventFiles(dir, me)
	return true
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

func (c *checker) checkFileSystem(dir string) {
	s := &files.Store{Directory: dir, Mode: c.config.File.Mode}
	if err := s.Probe(); err != nil {
		c.problem("use a directory in /dev/shm or /run that comet-fcgi may read", "file.directory: %v", err)
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return // Probe has failed as well.
	}
	if name, ok := remoteFileSystems[int64(stat.Type)]; ok {
		c.warn("use a local directory; for several machines, set store to redis or memcached",
			"it is on %s: publications of other machines are noticed up to one sleep late", name)
	}
	if lack := lackOfSpace(stat, c.config.Data.MaxBytes); lack != "" {
		c.problem("remove files there, or enlarge the file system", "the file system of %s is full: %s", dir, lack)
	}
}

// lackOfSpace returns why a new file of this size has no room in a file system, "" if it has room. A file
// system without limits has zeros.
func lackOfSpace(stat unix.Statfs_t, size int) string {
	left := stat.Bavail * uint64(stat.Bsize)
	switch {
	case stat.Blocks > 0 && left < uint64(size):
		return fmt.Sprintf("%d bytes are left, but an event may have %d (data.max_bytes)", left, size)
	case stat.Files > 0 && stat.Ffree == 0:
		return "no inode is left"
	}
	return ""
}

// checkEventFiles looks for files that this user may not read or write.
func (c *checker) checkEventFiles(dir, me string) {
	paths, _ := filepath.Glob(filepath.Join(dir, "*.comet"))
	var unwritable, unreadable []string
	for _, path := range paths {
		if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
			continue
		}
		if unix.Access(path, unix.W_OK) != nil {
			unwritable = append(unwritable, filepath.Base(path))
		}
		if unix.Access(path, unix.R_OK) != nil {
			unreadable = append(unreadable, filepath.Base(path))
		}
	}
	c.ok("it has %d events", len(paths))
	if len(unreadable) > 0 {
		c.warn("run chmod 0644 on them, or chmod 0640 with a group of both users; mktemp makes files of mode 0600",
			"%s may not read %s: browsers get these events without their data", me, abbreviate(unreadable))
	}
	if len(unwritable) > 0 {
		c.warn("run chmod g+w on them, with a group of both users; new files get file.mode",
			"%s may not publish %s by URL: they belong to other users", me, abbreviate(unwritable))
	}
}

// checkInotify tests whether this user can watch file.directory.
func (c *checker) checkInotify() {
	c.topic = "inotify"
	const late = "until then publications are noticed up to one sleep late"
	if !c.config.File.Notify {
		c.ok("file.notify is false: publications are noticed up to %v late", c.config.Sleep)
		return
	}
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
