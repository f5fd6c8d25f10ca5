package conf

import (
	"io/fs"
	"time"
)

// File describes the files of the events.
type File struct {
	Directory string      `mapstructure:"directory"` // absolute
	Mode      fs.FileMode `mapstructure:"mode"`      // of new files: contains 0600, at most 0666
	Create    bool        `mapstructure:"create"`    // publishing makes new ones
	Notify    bool        `mapstructure:"notify"`    // watch the directory
}

// Memcached describes the servers of the events.
type Memcached struct {
	Servers []string      `mapstructure:"servers"` // host:port or unix:/path, at least one
	Prefix  string        `mapstructure:"prefix"`  // of the keys: at most 40 bytes without spaces
	Timeout time.Duration `mapstructure:"timeout"` // of an answer: 10 ms to 1 min
	Skew    time.Duration `mapstructure:"skew"`    // how far the clocks of the machines may differ: 0 to 2 s
}

// Redis describes the servers of the events.
type Redis struct {
	// Addresses are host:port, at least one: of the server, of some of a Cluster, or, with Master, of Sentinels.
	Addresses []string `mapstructure:"addresses"`
	Master    string   `mapstructure:"master"`
	Username  string   `mapstructure:"username"`
	// Password is in the configuration itself, PasswordFile names a file (absolute) that has it; at most one of them is set.
	Password     Secret        `mapstructure:"password"`
	PasswordFile string        `mapstructure:"password_file"`
	DB           int           `mapstructure:"db"` // 0 to 65535
	TLS          bool          `mapstructure:"tls"`
	Prefix       string        `mapstructure:"prefix"`  // of the keys and channels: at most 40 bytes without spaces
	Expire       time.Duration `mapstructure:"expire"`  // of an event that is not published again: 1 min to 10 years; 0: never
	Timeout      time.Duration `mapstructure:"timeout"` // of an answer: 10 ms to 1 min
}

// Secret is a text that shows itself to nobody who prints or logs it.
type Secret string

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(secret)"
}

// GoString is for %#v.
func (s Secret) GoString() string { return s.String() }
