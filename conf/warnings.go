package conf

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// patience is how long every web server waits for an answer by default, less the time that an answer may take
// after the wait.
const patience = 50 * time.Second

// Warnings returns one line for each setting that is allowed but probably a mistake.
func (c Config) Warnings() []string {
	var lines []string
	if wait := c.Wait(); wait > patience {
		seconds := int(wait/time.Second) + 20
		lines = append(lines, fmt.Sprintf("tries × sleep is %s, longer than the default time-out of web servers: "+
			"the files in examples/ allow 65s; for more, or with files of your own, set nginx's "+
			"fastcgi_read_timeout (60s), "+
			"Apache's TimeOut or ProxyTimeout (60) or mod_fcgid's FcgidIOTimeout (40) to %d seconds or more",
			wait, seconds))
	}
	if c.Status {
		lines = append(lines, "status: on applies to every location, so nobody can poll or publish: set "+
			"COMET_STATUS only for the location "+
			"that is to answer with metrics (nginx: fastcgi_param, Apache: SetEnv)")
	}
	if open(c.Listen) {
		lines = append(lines, fmt.Sprintf("listen: other machines can reach %s, and FastCGI has no passwords: "+
			"use 127.0.0.1 or a socket file (unix:/run/novcomet/comet.sock), or a firewall, "+
			"or list the addresses that may connect in the environment variable FCGI_WEB_SERVER_ADDRS", c.Listen))
	}
	if c.Subscribe.Signed.LacksSecrets() {
		lines = append(lines, "subscribe.signed: there is no secret to check tokens with, so nobody can subscribe "+
			"to these events: "+
			"set subscribe.secret_file")
	}
	return lines
}

// open reports whether another machine may reach the address. Names are not looked up: only localhost is
// known to be local.
func open(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if listen == "" || strings.HasPrefix(listen, "unix:") || err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && !ip.IsLoopback() || err != nil && !strings.EqualFold(host, "localhost")
}
