// Package conf reads the settings: the keys of comet.yaml. README.md describes them for administrators.
//
// A value comes from the first of these that sets it: a flag of the command line; an environment variable,
// which has the key's name (COMET_FILE_DIRECTORY is file.directory); the settings file; the default. A web
// server can set some keys for one location: [Config.Locate].
//
// keys.go has the table of keys. To add one, add a row there, a field in [Config], a commented line in
// comet.yaml and a row in README.md. The tests compare the four.
package conf

import (
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strings"
	"time"

	"novcomet/core/access"
)

// Config has the value of every key. [Load] and [Config.Locate] return only values that the table of keys
// allows.
type Config struct {
	Tries int           `mapstructure:"tries"`
	Sleep time.Duration `mapstructure:"sleep"`

	File File `mapstructure:"file"`

	// Listen is "unix:" and a path, or host:port. It is empty if another program passes the socket.
	Listen string `mapstructure:"listen"`

	Publish   Publish        `mapstructure:"publish"`
	Subscribe Subscribe      `mapstructure:"subscribe"`
	Origins   access.Origins `mapstructure:"origins"`

	// Store is "files", "memcached" or "redis". The settings of the other two are valid, but not used.
	Store        string        `mapstructure:"store"`
	StoreTimeout time.Duration `mapstructure:"store_timeout"`
	StorePrefix  string        `mapstructure:"store_prefix"`
	Memcached    Memcached     `mapstructure:"memcached"`
	Redis        Redis         `mapstructure:"redis"`

	Data   Data   `mapstructure:"data"`
	Stream Stream `mapstructure:"stream"`
	Status bool   `mapstructure:"status"`
	Socket Socket `mapstructure:"socket"`
	CGI    CGI    `mapstructure:"cgi"`

	Log       string `mapstructure:"log"`        // "error", "warn", "info" or "debug"
	LogFormat string `mapstructure:"log_format"` // "text" or "json"

	MaxRequest     int           `mapstructure:"max_request"` // bytes
	MaxWaiting     int           `mapstructure:"max_waiting"` // 0: as many as the limit of open files allows
	MaxEvents      int           `mapstructure:"max_events"`  // 0: no limit
	MaxServing     int           `mapstructure:"max_serving"`
	MaxBuffered    int           `mapstructure:"max_buffered"` // bytes of requests, and as many of answers
	RequestTimeout time.Duration `mapstructure:"request_timeout"`
}

// File describes the files of the events.
type File struct {
	Directory string      `mapstructure:"directory"`
	Mode      fs.FileMode `mapstructure:"mode"`
	Create    bool        `mapstructure:"create"`
	Notify    bool        `mapstructure:"notify"`
}

// Publish says who may publish what, and how.
type Publish struct {
	Allow   access.Patterns `mapstructure:"allow"`
	Methods []string        `mapstructure:"methods"` // "GET" and "POST"; never nil
	Rate    access.Rate     `mapstructure:"rate"`
}

// Subscribe says who may subscribe to what.
type Subscribe struct {
	Allow      access.Patterns `mapstructure:"allow"`
	Signed     access.Signed   `mapstructure:"signed"`      // with the secrets of SecretFile
	SecretFile string          `mapstructure:"secret_file"` // may be empty
}

// Memcached describes the memcached servers.
type Memcached struct {
	Servers []string      `mapstructure:"servers"`
	Skew    time.Duration `mapstructure:"skew"`
}

// Redis describes the Redis servers. Addresses are those of a server, of servers of a Cluster, or, with
// Master, of Sentinels.
type Redis struct {
	Addresses    []string      `mapstructure:"addresses"`
	Master       string        `mapstructure:"master"`
	Username     string        `mapstructure:"username"`
	PasswordFile string        `mapstructure:"password_file"` // may be empty
	TLS          bool          `mapstructure:"tls"`
	Expire       time.Duration `mapstructure:"expire"` // 0: never
}

// Data limits what an event carries.
type Data struct {
	MaxBytes int `mapstructure:"max_bytes"`
}

// MaxAnswer is the most bytes that the events of one answer carry together.
func (d Data) MaxAnswer() int { return 16 * d.MaxBytes }

// Stream describes Server-Sent Events.
type Stream struct {
	Comment time.Duration   `mapstructure:"comment"`
	End     time.Duration   `mapstructure:"end"`
	Formats []access.Format `mapstructure:"formats"`
}

// Socket describes the socket file that comet-fcgi creates.
type Socket struct {
	Mode  fs.FileMode `mapstructure:"mode"`
	Group string      `mapstructure:"group"` // a name or a number; empty: the group of the process
}

// CGI has the settings of comet.cgi only.
type CGI struct {
	MaxWaiting int `mapstructure:"max_waiting"` // processes of one user; 0: no limit
}

// Wait is how long a poll waits when nothing changes: tries × sleep.
func (c Config) Wait() time.Duration { return time.Duration(c.Tries) * c.Sleep }

const (
	// afterWait is what an answer may need after the wait: it is held for up to 8 s, and has to arrive.
	afterWait = 10 * time.Second
	// safeWait is the longest wait that the default time-out of nginx and Apache allows.
	safeWait = time.Minute - afterWait
)

// Warnings returns one line for each setting that is allowed but probably a mistake.
func (c Config) Warnings() (lines []string) {
	if wait := c.Wait(); wait > safeWait {
		lines = append(lines, fmt.Sprintf("tries × sleep is %s; with the %s that a held answer may need to arrive, "+
			"a poll can take longer than the default time-out of web servers: "+
			"the files in examples/ allow 65s; for more, or with files of your own, set nginx's "+
			"fastcgi_read_timeout (60s), Apache's TimeOut or ProxyTimeout (60) or mod_fcgid's FcgidIOTimeout (40) "+
			"to %d seconds or more", wait, afterWait, int(wait/time.Second)+20))
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
