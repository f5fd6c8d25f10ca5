package check

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"novcomet/conf"
)

// running returns the processes with this name, except those in containers, where paths and addresses mean
// something else. Without /proc it returns none.
func running(name string) []procfs.Proc {
	all, _ := procfs.AllProcs()
	own, _ := os.Readlink("/proc/self/ns/pid")
	return slices.DeleteFunc(all, func(p procfs.Proc) bool {
		itsName, err := p.Comm()
		namespace, errNamespace := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", p.PID)) // Its user and root may read it.
		return err != nil || itsName != name || errNamespace == nil && namespace != own
	})
}

// openFiles returns the limit of open files of a process, 0 if it is unknown.
func openFiles(p procfs.Proc) uint64 {
	limits, err := p.Limits()
	if err != nil {
		return 0
	}
	return limits.OpenFiles
}

// findDaemons finds the running comet-fcgi with these settings: they listen on the same address, or they
// read the same file if one of them gets its socket from another program. It also finds the addresses.
func (c *checker) findDaemons(file string) {
	const usualFile, usualSocket = "/etc/novcomet/comet.yaml", "/run/novcomet/comet.sock" // as in examples/systemd
	listen := c.config.Listen
	for _, p := range running("comet-fcgi") {
		itsListen, itsFile := c.settingsOf(p)
		if listen == "" || itsListen == "" {
			if !sameFile(file, itsFile) {
				continue
			}
		} else if listen != itsListen {
			continue
		}
		c.daemons = append(c.daemons, p)
		if itsListen != "" && !slices.Contains(c.sockets, itsListen) {
			c.sockets = append(c.sockets, itsListen)
		}
	}
	if listen != "" {
		c.sockets = []string{listen}
	} else if _, err := os.Stat(usualSocket); err == nil && len(c.sockets) == 0 && file == usualFile {
		c.sockets = []string{"unix:" + usualSocket}
	}
}

// settingsOf returns the address and the settings file of a running comet-fcgi, as far as they are
// readable.
func (c *checker) settingsOf(p procfs.Proc) (listen, file string) {
	args, err := p.CmdLine()
	if err != nil || len(args) == 0 {
		return "", ""
	}
	environ, _ := p.Environ() // Only its user and root may read it.
	source, err := c.options.SourceOf(args[1:], environ)
	if err != nil {
		return "", ""
	}
	if source.File != "" && !filepath.IsAbs(source.File) {
		directory, _ := p.Cwd()
		source.File = filepath.Join(directory, source.File)
	}
	values, file, _ := conf.Explain(source)
	for _, v := range values {
		if v.Key == "listen" {
			listen = v.Value
		}
	}
	return listen, file
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && infoA.Mode().IsRegular() && os.SameFile(infoA, infoB)
}

// checkProcess reports which comet-fcgi runs with the settings, and whether it has the user of this check.
func (c *checker) checkProcess() {
	c.topic = "process"
	user, me := "", userName(os.Geteuid())
	var ids []string
	for _, p := range c.daemons {
		if status, err := p.NewStatus(); err == nil {
			user = userName(int(status.UIDs[1])) // the effective user
			ids = append(ids, strconv.Itoa(p.PID))
		}
	}
	switch {
	case len(ids) == 0:
		c.ok("no running comet-fcgi with these settings was found")
	case user == me:
		c.ok("comet-fcgi runs as process %s of %s", abbreviate(ids), user)
	default:
		c.warn("run the check as its user: sudo -u "+user+" comet-fcgi check",
			"comet-fcgi runs as process %s of %s, but the rights below are those of %s", abbreviate(ids), user, me)
	}
}

// checkOpenFiles compares the limit of open files with max_waiting. Each waiting browser takes one open
// file.
func (c *checker) checkOpenFiles() {
	c.topic = "open files"
	const few = 500 // connections
	const raise = "set LimitNOFILE=65536 in comet-fcgi's unit, or run ulimit -n 65536 before it starts"
	var limit uint64
	for _, p := range c.daemons {
		if n := openFiles(p); n != 0 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	whose := "of comet-fcgi"
	if limit == 0 {
		var own unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err != nil {
			c.warn("run ulimit -n to see the limit", "getrlimit: %v", err)
			return
		}
		limit, whose = own.Max, "of this check; a service has its own, LimitNOFILE"
	}
	room := c.options.Connections(limit)
	found := fmt.Sprintf("the limit of %d open files (%s) has room for %d connections", limit, whose, room)
	switch most := c.config.MaxWaiting; {
	case most > room:
		c.problem(raise, "max_waiting is %d, but %s", most, found)
	case most == 0 && room < few:
		c.warn(raise, "%s", found)
	default:
		c.ok("%s", found)
	}
}
