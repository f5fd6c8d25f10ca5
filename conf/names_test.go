package conf

import (
	"os"
	"strings"
	"testing"
)

func TestSuggest_NamesTheSuccessorOfARemovedKey(t *testing.T) {
	for name, successor := range map[string]string{
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
		removed := ": it was removed: use " + successor + ", "
		for _, text := range []string{name + ": 1", strings.Replace(name, ".", ":\n  ", 1) + ": 1",
			strings.ToUpper(name) + ": 1", name + ":"} {
			refuses(t, text, "line ", `: unknown key "`+name+`"`+removed)
		}
		for _, value := range []string{"1", ""} {
			_, err := Load(Source{File: os.DevNull, Environ: []string{variableOf(name) + "=" + value}})
			wantError(t, err, `unknown environment variable "`+variableOf(name)+`"`+removed)
			_, err = defaults(t).Locate(variables(variableOf(name), value))
			wantError(t, err, `unknown variable "`+variableOf(name)+`"`+removed)
		}
		_, err := Load(Source{File: os.DevNull, Flags: map[string]string{name: "1"}})
		wantError(t, err, "flag --"+name, removed)
		if _, ok := byName[successor]; !ok {
			t.Errorf("%s is replaced by %s, which is not a name", name, successor)
		}
	}
}
