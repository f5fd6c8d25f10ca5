package check

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// files looks at the limit of open files: each browser that waits takes one.
func (c *checker) files() {
	const check = "open files"
	const few = 500
	const raise = "set LimitNOFILE=65536 in comet-fcgi's unit, or run ulimit -n 65536 before it starts"
	var whose string
	var limit uint64
	if c.daemon != nil {
		whose, limit = fmt.Sprint("of comet-fcgi, process ", c.daemon.pid), c.daemon.openFiles()
	}
	if limit == 0 {
		var own unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err != nil {
			c.warn(check, "run ulimit -n to see the limit", "%v", err)
			return
		}
		whose, limit = "of this check; a service has its own, LimitNOFILE", own.Max
	}
	room := c.Connections(limit)
	switch most := c.config.MaxWaiting; {
	case most > room:
		c.problem(check, raise, "max_waiting is %d, but the limit of %d open files (%s) has room for %d connections", most, limit, whose, room)
	case most == 0 && room < few:
		c.warn(check, raise, "the limit of %d open files (%s) has room for %d connections", limit, whose, room)
	default:
		c.ok(check, "the limit of %d (%s) has room for %d connections", limit, whose, room)
	}
}
