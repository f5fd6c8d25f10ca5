package conf

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// safeWait is the default time-out of nginx and Apache (60 s), less the time that an answer may need after
// the wait.
const safeWait = 50 * time.Second

// Warnings returns one line for each setting that is allowed but probably a mistake.
func (c Config) Warnings() (lines []string) {
	if wait := c.Wait(); wait > safeWait {
		lines = append(lines, fmt.Sprintf("tries × sleep is %s, longer than the default time-out of web servers: "+
			"the files in examples/ allow 65s; for more, or with files of your own, set nginx's "+
			"fastcgi_read_timeout (60s), Apache's TimeOut or ProxyTimeout (60) or mod_fcgid's FcgidIOTimeout (40) "+
			"to %d seconds or more", wait, int(wait/time.Second)+20))
	}
	if c.Status {
		lines = append(lines, "status: on applies to every location, so nobody can poll or publish: set COMET_STATUS "+
			"only for the location that is to answer with metrics (nginx: fastcgi_param, Apache: SetEnv)")
	}
	if isReachable(c.Listen) {
		lines = append(lines, fmt.Sprintf("listen: other machines can reach %s, and FastCGI has no passwords: "+
			"use 127.0.0.1 or a socket file (unix:/run/novcomet/comet.sock), or a firewall, "+
			"or list the addresses that may connect in the environment variable FCGI_WEB_SERVER_ADDRS", c.Listen))
	}
	if c.Subscribe.Signed.LacksSecrets() {
		lines = append(lines, "subscribe.signed: there is no secret to check tokens with, so nobody can subscribe "+
			"to these events: set subscribe.secret_file")
	}
	return lines
}

// isReachable reports whether another machine may reach the address. Names are not resolved: only localhost
// is known to be local.
func isReachable(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil || strings.HasPrefix(listen, "unix:") {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && !ip.IsLoopback() || err != nil && !strings.EqualFold(host, "localhost")
}
