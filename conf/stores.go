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
	Skew    time.Duration `mapstructure:"skew"`    // how far the clocks of the machines may differ: 0 to 2 s
}

// Redis describes the servers of the events.
type Redis struct {
	// Addresses are host:port, at least one: of the server, of some of a Cluster, or, with Master, of Sentinels.
	Addresses    []string      `mapstructure:"addresses"`
	Master       string        `mapstructure:"master"`
	Username     string        `mapstructure:"username"`
	PasswordFile string        `mapstructure:"password_file"` // absolute, or empty
	TLS          bool          `mapstructure:"tls"`
	Expire       time.Duration `mapstructure:"expire"` // after the last publication: 1 min to 10 years; 0: never
}
