package check

import (
	"cmp"
	"os"

	"novcomet/conf"
)

// checkSettings reads the settings, and finds the comet-fcgi that runs with them. It reports whether they
// are valid.
func (c *checker) checkSettings() bool {
	c.topic = "configuration"
	noFile := conf.Source{File: os.DevNull}
	defaults, _, _ := conf.Explain(noFile) // The defaults are valid.
	values, file, err := conf.Explain(c.options.Source)
	c.Settings = values
	for i, v := range values {
		if v.Value != defaults[i].Value {
			c.changed = append(c.changed, v)
		}
	}
	if err == nil {
		c.config, err = conf.Load(c.options.Source)
	}
	if err != nil {
		c.config, _ = conf.Load(noFile)
		c.problem("correct the settings: comet-fcgi does not start with them, and a running one keeps its old settings",
			"%v", err)
		return false
	}
	c.ok("%s; %d of %d settings differ from the defaults (--verbose prints all)",
		cmp.Or(file, "no comet.yaml"), len(c.changed), len(values))
	for _, warning := range c.config.Warnings() {
		c.warn("read conf/comet.yaml", "%s", warning)
	}
	c.checkSecrets()
	c.findDaemons(file)
	return true
}

// checkSecrets warns about files with secrets that every user can read.
func (c *checker) checkSecrets() {
	for _, f := range []struct{ key, path string }{
		{"subscribe.secret_file", c.config.Subscribe.SecretFile},
		{"redis.password_file", c.config.Redis.PasswordFile},
	} {
		if info, err := os.Stat(f.path); err == nil && info.Mode()&0o004 != 0 {
			c.warn("run chmod o-r "+f.path+", and give it the group of comet-fcgi's user",
				"every user of this machine can read %s: %s", f.key, f.path)
		}
	}
}
