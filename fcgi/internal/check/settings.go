package check

import (
	"cmp"
	"os"

	"novcomet/conf"
)

// checkSettings reads the settings, and reports whether they are valid.
func (c *checker) checkSettings() bool {
	c.topic = "configuration"
	noFile := conf.Source{File: os.DevNull}
	defaults, _, _ := conf.Explain(noFile) // The defaults are valid.
	var err error
	c.Settings, c.file, err = conf.Explain(c.options.Source)
	for i, v := range c.Settings {
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
		cmp.Or(c.file, "no comet.yaml"), len(c.changed), len(c.Settings))
	for _, warning := range c.config.Warnings() {
		c.warn("read conf/comet.yaml", "%s", warning)
	}
	for _, f := range []struct{ key, path string }{
		{"subscribe.secret_file", c.config.Subscribe.SecretFile},
		{"redis.password_file", c.config.Redis.PasswordFile},
	} {
		if info, err := os.Stat(f.path); err == nil && info.Mode()&0o004 != 0 {
			c.warn("run chmod o-r "+f.path+", and give it the group of comet-fcgi's user",
				"every user of this machine can read %s: %s", f.key, f.path)
		}
	}
	return true
}
