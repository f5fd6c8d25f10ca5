package conf_test

import (
	"os"
	"strings"
	"testing"

	"novcomet/conf"
)

func TestRemovedKeyNamesItsReplacement(t *testing.T) {
	for key, replacement := range map[string]string{
		"max_streams":       "max_waiting",
		"data.max_answer":   "data.max_bytes",
		"memcached.timeout": "store_timeout",
		"redis.timeout":     "store_timeout",
		"memcached.prefix":  "store_prefix",
		"redis.prefix":      "store_prefix",
		"subscribe.secret":  "subscribe.secret_file",
		"redis.password":    "redis.password_file",
		"redis.db":          "store_prefix",
	} {
		removed := ": it was removed: use " + replacement + ", "
		for _, text := range []string{key + ": 1", strings.Replace(key, ".", ":\n  ", 1) + ": 1", strings.ToUpper(key) + ": 1", key + ":"} {
			path := write(t, text)
			_, err := conf.Load(conf.Source{File: path})
			mustSay(t, err, path+": line ", `: unknown key "`+key+`"`+removed)
		}
		for _, value := range []string{"1", ""} {
			_, err := conf.Load(conf.Source{File: os.DevNull, Environ: []string{variable(key) + "=" + value}})
			mustSay(t, err, `unknown environment variable "`+variable(key)+`"`+removed)
			_, err = defaults(t).Locate(variables(variable(key), value))
			mustSay(t, err, `unknown variable "`+variable(key)+`"`+removed)
		}
		_, err := conf.Load(conf.Source{File: os.DevNull, Flags: map[string]string{key: "1"}})
		mustSay(t, err, "flag --"+key, removed)
		if _, ok := fieldOf(replacement); !ok {
			t.Errorf("%s is replaced by %s, which is not a key", key, replacement)
		}
	}
}

// fieldOf finds the row of a key in the table of keys.
func fieldOf(key string) (field func(conf.Config) any, ok bool) {
	for _, k := range keys {
		if k.key == key {
			return k.field, true
		}
	}
	return nil, false
}
