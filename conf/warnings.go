package conf

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// patience is how long every web server waits for an answer unless told otherwise, less what an
// answer may take on top of the wait.
const patience = 50 * time.Second

// Warnings tells what is allowed but probably not wanted, one line each.
func (c Config) Warnings() []string {
	var lines []string
	if wait := c.Wait(); wait > patience {
		seconds := int(wait/time.Second) + 20
		lines = append(lines, fmt.Sprintf("tries × sleep is %s, longer than a web server waits unless told: "+
			"NovComet's own files for web servers allow 65s; for more, or with files of your own, set nginx's fastcgi_read_timeout (60s), "+
			"Apache's TimeOut or ProxyTimeout (60), mod_fcgid's FcgidIOTimeout (40) to %d seconds or more",
			wait, seconds))
	}
	if c.Status {
		lines = append(lines, "status: on holds for every location: nobody can poll or publish. Set COMET_STATUS for the one location "+
			"that is to answer with figures (nginx: fastcgi_param, Apache: SetEnv)")
	}
	if open(c.Listen) {
		lines = append(lines, fmt.Sprintf("listen: %s can be reached by other machines, and FastCGI knows no password: "+
			"use 127.0.0.1 or a socket file (unix:/run/novcomet/comet.sock), or a firewall; "+
			"FCGI_WEB_SERVER_ADDRS in the environment names the addresses that may connect", c.Listen))
	}
	if secrets, err := c.Subscribe.Secrets(); len(c.Subscribe.Signed) > 0 && len(secrets) == 0 && err == nil {
		lines = append(lines, "subscribe.signed: there is no secret to make tokens with, so nobody can subscribe to these events: "+
			"set subscribe.secret_file")
	}
	return lines
}

// open tells whether another machine can reach the address. A name is not looked up: only localhost
// is known to stay here.
func open(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if listen == "" || strings.HasPrefix(listen, "unix:") || err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && !ip.IsLoopback() || err != nil && !strings.EqualFold(host, "localhost")
}
