package check

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// process is one that runs on this machine.
type process struct {
	pid int
	account
}

// account is a user, as far as rights go.
type account struct {
	uid    int
	groups []int
}

// self is the account of the check.
func self() account {
	groups, _ := os.Getgroups() // Without them, fewer rights are seen than there are.
	return account{os.Geteuid(), append(groups, os.Getegid())}
}

func proc(pid int, name string) string { return filepath.Join("/proc", strconv.Itoa(pid), name) }

// findDaemon returns the comet-fcgi that listens on the socket; else, where systemd does so for it, the only one that runs.
func findDaemon(socket string) *process {
	if pid := listener(socket); pid != 0 && command(pid) == "comet-fcgi" {
		return read(pid)
	}
	if all := running("comet-fcgi"); len(all) == 1 {
		return all[0]
	}
	return nil
}

// listener returns the process that listens on a socket file, 0 if none does or it can't be told.
func listener(path string) (pid int) {
	if path == "" {
		return 0
	}
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return 0
	}
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) {
		if peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(peer.Pid)
		}
	})
	return pid
}

// running returns the processes of these commands.
func running(commands ...string) (all []*process) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !slices.Contains(commands, command(pid)) {
			continue
		}
		if p := read(pid); p != nil {
			all = append(all, p)
		}
	}
	return all
}

func command(pid int) string {
	name, err := os.ReadFile(proc(pid, "comm"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(name))
}

// read returns the process, nil if it has ended.
func read(pid int) *process {
	status, err := os.ReadFile(proc(pid, "status"))
	if err != nil {
		return nil
	}
	p := &process{pid: pid, account: account{uid: -1}}
	for line := range strings.SplitSeq(string(status), "\n") {
		name, value, _ := strings.Cut(line, ":")
		numbers := strings.Fields(value)
		switch {
		case name == "Uid" && len(numbers) > 1: // real, effective, …
			p.uid, _ = strconv.Atoi(numbers[1])
		case name == "Gid" && len(numbers) > 1:
			gid, _ := strconv.Atoi(numbers[1])
			p.groups = append(p.groups, gid)
		case name == "Groups":
			for _, n := range numbers {
				gid, _ := strconv.Atoi(n)
				p.groups = append(p.groups, gid)
			}
		}
	}
	if p.uid < 0 {
		return nil
	}
	return p
}

// openFiles is the process' limit of open files, 0 if it can't be read.
func (p *process) openFiles() uint64 {
	limits, err := os.ReadFile(proc(p.pid, "limits"))
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(limits), "\n") {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			if numbers := strings.Fields(rest); len(numbers) > 0 {
				n, _ := strconv.ParseUint(numbers[0], 10, 64)
				return n
			}
		}
	}
	return 0
}
