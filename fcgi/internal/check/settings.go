package check

import (
	"os"

	"novcomet/conf"
)

type setting = conf.Value

// configuration looks at the settings, and reports whether they are known then.
func (c *checker) configuration() bool {
	const check = "configuration"
	values, file, err := conf.Explain(c.Source)
	c.Settings = values
	if err == nil {
		c.config, err = conf.Load(c.Source)
	}
	if err != nil {
		c.problem(check, "correct it: comet-fcgi does not start with it, and a running comet-fcgi keeps its old settings", "%v", err)
		return false
	}
	c.known = true
	if file == "" {
		file = "no comet.yaml"
	}
	set := 0
	for _, v := range values {
		if v.From != conf.FromDefault {
			set++
		}
	}
	c.ok(check, "%s; %d of %d settings are set, the others have their defaults", file, set, len(values))
	for _, warning := range c.config.Warnings() {
		c.warn(check, "read conf/comet.yaml", "%s", warning)
	}
	c.readers()
	return true
}

// readers warns about files of secrets that every user of this machine can read.
func (c *checker) readers() {
	for _, f := range []struct{ key, path string }{
		{"subscribe.secret_file", c.config.Subscribe.SecretFile},
		{"redis.password_file", c.config.Redis.PasswordFile},
	} {
		if info, err := os.Stat(f.path); err == nil && info.Mode()&0o004 != 0 {
			c.warn("configuration", "run chmod o-r "+f.path+", and give it the group of comet-fcgi's user", "every user of this machine can read %s: %s", f.key, f.path)
		}
	}
}
