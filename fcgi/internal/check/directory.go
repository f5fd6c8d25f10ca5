package check

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"novcomet/core"
)

// fileSystems are those whose changes by other machines, or by whoever serves them, inotify does not tell of.
var fileSystems = map[int64]string{
	unix.NFS_SUPER_MAGIC: "NFS", unix.SMB_SUPER_MAGIC: "SMB", unix.SMB2_SUPER_MAGIC: "SMB", unix.CIFS_SUPER_MAGIC: "SMB",
	unix.FUSE_SUPER_MAGIC: "FUSE", unix.V9FS_MAGIC: "9p", unix.CEPH_SUPER_MAGIC: "Ceph", unix.AFS_SUPER_MAGIC: "AFS",
}

// directory looks at the directory of the events and who may write there. It reports whether it is there.
func (c *checker) directory() bool {
	const check = "directory"
	const make = "create it: sudo install -d -m 2775 -o www-data -g www-data %s; in /run, use examples/systemd/novcomet.conf"
	dir := c.config.File.Directory
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		c.problem(check, fmt.Sprintf(make, dir), "file.directory: %v", err)
		return false
	case !info.IsDir():
		c.problem(check, "set file.directory to a directory", "file.directory: %s (%s) is not a directory", dir, described(info))
		return false
	}
	who := c.user()
	c.ok(check, "%s: %s", dir, described(info))
	switch mode := info.Mode(); {
	case !who.may(1, info):
		c.problem(check, fmt.Sprintf("run chmod a+x %s, or put %s into its group", dir, who), "%s may not enter %s", who, dir)
	case !who.may(3, info):
		c.warn(check, fmt.Sprintf("give it a group of %s and mode 2775, unless nobody should publish by URL", who),
			"%s may not write there: nobody can publish an event by URL that has no file yet", who)
	case mode&0o002 != 0 && mode&os.ModeSticky == 0:
		c.warn(check, "run chmod o-w "+dir+", and give it a group of all users who publish", "every user of this machine can delete the events of all others")
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err == nil {
		if name, ok := fileSystems[int64(stat.Type)]; ok {
			c.warn(check, "use a local directory; for several machines, set store to redis or memcached", "it is on %s: publications of other machines are noticed up to one sleep late", name)
		}
	}
	c.eventFiles(info, who)
	c.fineness(dir)
	return true
}

// user is whom comet-fcgi runs as, if it runs, else who checks.
func (c *checker) user() account {
	if c.daemon != nil {
		return c.daemon.account
	}
	return self()
}

// eventFiles looks for trouble that several users have with each other in one directory.
func (c *checker) eventFiles(directory os.FileInfo, who account) {
	const check = "directory"
	dir := c.config.File.Directory
	files, _ := filepath.Glob(filepath.Join(dir, "*.comet"))
	var closed, unreadable, ordinary, others []string
	for _, path := range files {
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		name := filepath.Base(path)
		if !who.isOwner(info) {
			others = append(others, name)
			if !who.may(2, info) {
				closed = append(closed, name)
			}
		}
		if !who.may(4, info) {
			unreadable = append(unreadable, name)
		}
		if isOrdinary(owner(info)) {
			ordinary = append(ordinary, name)
		}
	}
	c.ok(check, "it has %d events", len(files))
	if len(unreadable) > 0 {
		c.warn(check, "run chmod 0644 on them, or chmod 0640 with a group that both users are in; mktemp makes files of mode 0600",
			"%s may not read %s: browsers get these events without their data", who, some(unreadable))
	}
	if len(closed) > 0 {
		c.warn(check, "run chmod g+w on them, with a group that both users are in; new files get file.mode", "%s may not publish %s by URL: they belong to other users", who, some(closed))
	}
	if len(others) > 0 && directory.Mode()&os.ModeSticky != 0 && kernel("fs/protected_regular") > 0 {
		c.warn(check, "use a directory of your own for the events (examples/publish/README.md, Several users)",
			"the kernel (fs.protected_regular) refuses > and >> on other users' files here, even to root; touch works if the mode allows it: %s", some(others))
	}
	if len(ordinary) > 0 && strings.HasPrefix(dir+"/", "/dev/shm/") && systemd() {
		c.warn(check, "use a directory of your own for the events, or set RemoveIPC=no in logind.conf",
			"when a user logs out, logind deletes that user's files in /dev/shm (RemoveIPC): %s", some(ordinary))
	}
}

// systemd reports whether it runs this machine, and with it logind.
func systemd() bool {
	_, err := os.Stat("/run/systemd/system")
	return err == nil
}

// some names a few.
func some(names []string) string {
	const few = 3
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

// fineness tells how fine the times of the files are.
func (c *checker) fineness(dir string) {
	store := &core.Files{Directory: dir, Mode: c.config.File.Mode}
	switch err := store.Probe(); {
	case errors.Is(err, core.ErrCoarse):
		c.problem("directory", "set file.directory to a directory in /dev/shm or /run", "file.directory: %v", err)
	case err != nil:
		c.problem("directory", "see above", "%v", err)
	case store.Fine:
		c.ok("directory", "its file times are exact: answers are sent at once")
	default:
		c.ok("directory", "its file times are as coarse as the kernel's tick, or could not be tested: answers are sent 10ms later")
	}
}

// kernel reads a number below /proc/sys, 0 if there is none.
func kernel(name string) int {
	text, err := os.ReadFile(filepath.Join("/proc/sys", name))
	if err != nil {
		return 0
	}
	var n int
	_, _ = fmt.Sscan(string(text), &n)
	return n
}
