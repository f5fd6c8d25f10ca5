// Package conf reads the settings: the keys of comet.yaml. README.md describes them for administrators.
//
// A value comes from the first of these that sets it:
//
//   - a flag of the command line,
//   - an environment variable, named like the key: COMET_FILE_DIRECTORY is file.directory,
//   - the configuration file,
//   - [YAML], the commented comet.yaml of this package: the only place that has the defaults.
//
// A web server can set some keys for one location: [Config.Locate].
//
// A new key is a field in [Config], a commented line in comet.yaml, a line in settings.go and a row in README.md.
package conf

import (
	_ "embed"
	"io/fs"
	"time"
)

// YAML is the shipped comet.yaml: every key with its default and a description.
//
//go:embed comet.yaml
var YAML []byte

// Config has the value of every key; comet.yaml describes them. [Load] and [Config.Locate] return only values that are
// within their ranges.
type Config struct {
	// Tries is how often a poll checks for changes (1 to 100,000), Sleep the pause between two checks (10 ms to 1 h).
	Tries int           `mapstructure:"tries"`
	Sleep time.Duration `mapstructure:"sleep"`

	// File describes the files of the events.
	File File `mapstructure:"file"`

	// Listen is where comet-fcgi listens: "unix:" and an absolute path, or host:port, or empty if the socket is passed on
	// by another program.
	Listen string `mapstructure:"listen"`

	// Publish and Subscribe say who may do what. Origins are the other sites whose pages may: "https://example.com", or "*".
	Publish   Publish   `mapstructure:"publish"`
	Subscribe Subscribe `mapstructure:"subscribe"`
	Origins   []string  `mapstructure:"origins"`

	// Store says where stamps are kept: "files", "memcached" or "redis". File, Memcached or Redis describes that store. The
	// values of the others must be valid, but are not used.
	Store string `mapstructure:"store"`
	// StoreTimeout is how long a memcached or Redis server may take to answer (10 ms to 1 min). StorePrefix begins each of
	// its keys (at most 40 bytes without spaces).
	StoreTimeout time.Duration `mapstructure:"store_timeout"`
	StorePrefix  string        `mapstructure:"store_prefix"`
	Memcached    Memcached     `mapstructure:"memcached"`
	Redis        Redis         `mapstructure:"redis"`

	// Data limits what an event carries, Stream describes Server-Sent Events.
	Data   Data   `mapstructure:"data"`
	Stream Stream `mapstructure:"stream"`

	// Status makes a location answer with metrics instead of polls.
	Status bool `mapstructure:"status"`

	// Socket describes the file that comet-fcgi creates if Listen begins with "unix:".
	Socket Socket `mapstructure:"socket"`

	// Log is the lowest level that is logged: "error", "warn", "info" or "debug". LogFormat is "text" or "json".
	Log       string `mapstructure:"log"`
	LogFormat string `mapstructure:"log_format"`

	// MaxRequest limits one request's variables, and also its form body, in bytes (4 KiB to 16 MiB).
	MaxRequest int `mapstructure:"max_request"`
	// MaxWaiting is how many polls and streams may wait (0 to 1,000,000; 0: as many as the limit of open files allows),
	// MaxEvents how many distinct events they may wait for (0 to 10,000,000; 0: any number), MaxServing how many answers and
	// publications are written at the same time (1 to 10,000).
	MaxWaiting int `mapstructure:"max_waiting"`
	MaxEvents  int `mapstructure:"max_events"`
	MaxServing int `mapstructure:"max_serving"`
	// RequestTimeout is how long a web server may take to send a request, or to accept the next part of an answer (100 ms to
	// 10 min).
	RequestTimeout time.Duration `mapstructure:"request_timeout"`
}

// Data limits what an event carries.
type Data struct {
	MaxBytes int `mapstructure:"max_bytes"` // of one event: 1 to 16 MiB
}

// MaxAnswer is how many bytes the events of one answer carry together at most.
func (d Data) MaxAnswer() int { return 16 * d.MaxBytes }

// Stream describes Server-Sent Events.
type Stream struct {
	Comment time.Duration `mapstructure:"comment"` // the pause until one is sent: 100 ms to 10 min
	End     time.Duration `mapstructure:"end"`     // its age: 100 ms to 24 h
}

// Socket describes the socket file that comet-fcgi creates.
type Socket struct {
	Mode  fs.FileMode `mapstructure:"mode"`  // contains 0600, at most 0666
	Group string      `mapstructure:"group"` // a name or a number; empty: the group of the process
}

// Wait is how long a poll waits when nothing changes: tries × sleep.
func (c Config) Wait() time.Duration { return time.Duration(c.Tries) * c.Sleep }
