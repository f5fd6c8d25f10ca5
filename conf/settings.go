package conf

import (
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A setting is a key, and what must hold for its value.
type setting struct {
	key         string
	perLocation bool   // a web server may set it for one location
	allowed     string // completes "give …" in a message
	ok          func(Config) bool
}

const (
	octal    = `an octal mode such as "0660", from "0600" to "0666", that includes 0600`
	truths   = "true or false"
	prefixes = "at most 40 bytes without spaces and control characters, or nothing"
	timeouts = "seconds (1, 0.5) or a unit (500ms), from 10ms to 1m"
	location = true
)

// settings has every key of comet.yaml, in its order.
var settings = []setting{
	{"tries", location, "a whole number from 1 to 100000",
		func(c Config) bool { return 1 <= c.Tries && c.Tries <= 100_000 }},
	{"sleep", location, "seconds (2, 0.5) or a unit (500ms, 1m), from 10ms to 1h",
		func(c Config) bool { return 10*time.Millisecond <= c.Sleep && c.Sleep <= time.Hour }},
	{"file.directory", !location, "an absolute path such as /dev/shm",
		func(c Config) bool { return isPath(c.File.Directory) }},
	{"file.mode", !location, octal,
		func(c Config) bool { return isMode(c.File.Mode) }},
	{"file.create", !location, truths, func(Config) bool { return true }},
	{"file.notify", !location, truths, func(Config) bool { return true }},
	{"listen", !location, "unix: and an absolute path of at most 107 bytes (unix:/run/novcomet/comet.sock), a host and a port from 1 to 65535 (127.0.0.1:9000), or nothing if another program passes the socket",
		func(c Config) bool { return c.Listen == "" || isAddress(c.Listen) }},
	{"publish.allow", location, patterns, func(Config) bool { return true }},
	{"publish.methods", location, "GET, POST, or both separated by a comma, or none", func(Config) bool { return true }},
	{"publish.rate", location, "1 to 10000 per second, minute or hour, such as 10/s, 100/m, 1000/h, or none",
		func(c Config) bool { return isRate(c.Publish.Rate) }},
	{"subscribe.allow", location, patterns, func(Config) bool { return true }},
	{"subscribe.signed", location, strings.Replace(patterns, "user:<user>:*", "private-*", 1), func(Config) bool { return true }},
	{"subscribe.secret_file", location, "the absolute path of a file with one secret in each line, such as openssl rand -hex 32 prints, or nothing",
		func(c Config) bool { return c.Subscribe.SecretFile == "" || isPath(c.Subscribe.SecretFile) }},
	{"origins", location, `sites such as https://example.com or https://example.com:8443, separated by commas; "*" for all; or none`,
		func(Config) bool { return true }},
	{"store", !location, "files, memcached or redis",
		func(c Config) bool { return c.Store == "files" || c.Store == "memcached" || c.Store == "redis" }},
	{"store_timeout", !location, timeouts, func(c Config) bool { return isTimeout(c.StoreTimeout) }},
	{"store_prefix", !location, prefixes, func(c Config) bool { return isPrefix(c.StorePrefix) }},
	{"memcached.servers", !location, "a host and a port (127.0.0.1:11211), or unix: and an absolute path, for each server, at least one",
		func(c Config) bool { return len(c.Memcached.Servers) > 0 }},
	{"memcached.skew", !location, "seconds (1, 0.1) or a unit (100ms), from 0 to 2s",
		func(c Config) bool { return 0 <= c.Memcached.Skew && c.Memcached.Skew <= 2*time.Second }},
	{"redis.addresses", !location, "a host and a port (127.0.0.1:6379) for each server, at least one",
		func(c Config) bool { return len(c.Redis.Addresses) > 0 }},
	{"redis.master", !location, "the name by which the Sentinels know the master, or nothing",
		func(c Config) bool { return isWord(c.Redis.Master) }},
	{"redis.username", !location, "a name, or nothing",
		func(c Config) bool { return isWord(c.Redis.Username) }},
	{"redis.password_file", !location, "an absolute path such as /etc/novcomet/redis-password, or nothing",
		func(c Config) bool { return c.Redis.PasswordFile == "" || isPath(c.Redis.PasswordFile) }},
	{"redis.tls", !location, truths, func(Config) bool { return true }},
	{"redis.expire", !location, "0 for never, or a duration with a unit (24h) from 1m to 87600h (10 years)",
		func(c Config) bool {
			return c.Redis.Expire == 0 || time.Minute <= c.Redis.Expire && c.Redis.Expire <= 87_600*time.Hour
		}},
	{"data.max_bytes", !location, "bytes, a whole number from 1 to 16777216",
		func(c Config) bool { return 1 <= c.Data.MaxBytes && c.Data.MaxBytes <= 16<<20 }},
	{"stream.comment", location, "seconds (20, 0.5) or a unit (500ms, 1m), from 100ms to 10m",
		func(c Config) bool {
			return 100*time.Millisecond <= c.Stream.Comment && c.Stream.Comment <= 10*time.Minute
		}},
	{"stream.end", location, "seconds (600) or a unit (10m), from 100ms to 24h",
		func(c Config) bool { return 100*time.Millisecond <= c.Stream.End && c.Stream.End <= 24*time.Hour }},
	{"status", location, "on or off", func(Config) bool { return true }},
	{"socket.mode", !location, octal,
		func(c Config) bool { return isMode(c.Socket.Mode) }},
	{"socket.group", !location, "a group's name or number, or nothing",
		func(c Config) bool { return c.Socket.Group == "" || isGroup(c.Socket.Group) }},
	{"log", !location, "error, warn, info or debug",
		func(c Config) bool { return slices.Contains([]string{"error", "warn", "info", "debug"}, c.Log) }},
	{"log_format", !location, "text or json",
		func(c Config) bool { return c.LogFormat == "text" || c.LogFormat == "json" }},
	{"max_request", !location, "bytes, a whole number from 4096 to 16777216",
		func(c Config) bool { return 4096 <= c.MaxRequest && c.MaxRequest <= 16<<20 }},
	{"max_waiting", !location, "a whole number from 0 to 1000000",
		func(c Config) bool { return 0 <= c.MaxWaiting && c.MaxWaiting <= 1_000_000 }},
	{"max_events", !location, "a whole number from 0 to 10000000",
		func(c Config) bool { return 0 <= c.MaxEvents && c.MaxEvents <= 10_000_000 }},
	{"max_serving", !location, "a whole number from 1 to 10000",
		func(c Config) bool { return 1 <= c.MaxServing && c.MaxServing <= 10_000 }},
	{"request_timeout", !location, "seconds (2, 0.5) or a unit (500ms, 1m), from 100ms to 10m",
		func(c Config) bool {
			return 100*time.Millisecond <= c.RequestTimeout && c.RequestTimeout <= 10*time.Minute
		}},
}

func isPath(s string) bool {
	return filepath.IsAbs(s) && len(s) < 4096 && !strings.ContainsFunc(s, unicode.IsControl)
}

// isMode reports whether a mode lets the owner read and write, and makes nothing executable or setuid.
func isMode(m fs.FileMode) bool { return m&0o600 == 0o600 && m&^0o666 == 0 }

func isPrefix(s string) bool {
	const longest = 40
	return len(s) <= longest && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

func isTimeout(d time.Duration) bool { return 10*time.Millisecond <= d && d <= time.Minute }

func isWord(s string) bool { return len(s) <= 256 && !strings.ContainsFunc(s, unicode.IsControl) }

func isAddress(s string) bool {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		return isPath(path) && len(path) <= 107 // sockaddr_un has 108 bytes, the last one is NUL
	}
	return isHostAndPort(s)
}

func isHostAndPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" || strings.ContainsFunc(host, notInHost) {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

func notInHost(r rune) bool {
	return unicode.IsControl(r) || unicode.IsSpace(r) || r == '/'
}

// isGroup accepts almost any name, because a directory service may have rules of its own. A number must be a group id:
// 4294967295 is -1 to the kernel and would change nothing.
func isGroup(s string) bool {
	if strings.Trim(s, "0123456789") == "" {
		n, err := strconv.ParseUint(s, 10, 32)
		return err == nil && n < 1<<32-1
	}
	return len(s) <= 256 && s[0] != '-' && s[0] != '+' &&
		!strings.ContainsAny(s, ":,/") && !strings.ContainsFunc(s, unicode.IsControl)
}
