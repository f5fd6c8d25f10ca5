package conf_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"novcomet/conf"
)

// Whatever stands in a file: Load answers with a configuration within its ranges, or with one line.
func FuzzLoad(f *testing.F) {
	f.Add(conf.YAML)
	for _, w := range wrong {
		f.Add([]byte(w.key + ": " + strings.Join(w.values[:min(1, len(w.values))], "")))
	}
	for _, w := range wrongLists {
		f.Add([]byte(w.key + ": [" + w.elements[0] + "]"))
	}
	f.Add([]byte("{subscribe: {allow: [news, 'user:<user>:*'], signed: 'private-*', secret_file: " + here + "secrets}, publish.rate: 10/m, origins: '*'}"))
	path := filepath.Join(f.TempDir(), "comet.yaml")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := conf.Load(conf.Source{File: path})
		if err != nil {
			if !reflect.DeepEqual(c, conf.Config{}) || strings.ContainsAny(err.Error(), "\n\r\x00\x1b") || !strings.HasPrefix(err.Error(), path) {
				t.Errorf("%+v, %q", c, err)
			}
			return
		}
		mode := func(m fs.FileMode) bool { return m&0o600 == 0o600 && m&^0o666 == 0 }
		if c.Tries < 1 || c.Tries > 100_000 || c.Sleep < 10*time.Millisecond || c.Sleep > time.Hour || len(c.Memcached.Servers) == 0 || len(c.Redis.Addresses) == 0 || c.Store != "files" && c.Store != "memcached" && c.Store != "redis" ||
			!filepath.IsAbs(c.File.Directory) || !mode(c.File.Mode) || !mode(c.Socket.Mode) ||
			c.MaxRequest < 4096 || c.MaxRequest > 16<<20 || c.RequestTimeout < 100*time.Millisecond || c.RequestTimeout > 10*time.Minute ||
			c.Listen != "" && !strings.Contains(c.Listen, ":") || strings.ContainsAny(c.Socket.Group+c.Listen+c.File.Directory, "\n\x00") {
			t.Errorf("out of range: %+v", c)
		}
		for _, list := range [][]string{c.Subscribe.Allow, c.Subscribe.Signed, c.Publish.Allow, c.Publish.Methods, c.Origins} {
			if list == nil || slices.Contains(list, "") || strings.ContainsAny(joined(list), "\n\x00") {
				t.Errorf("a list that is none: %q", list)
			}
		}
		if strings.Contains(joined(c.Subscribe.Signed), "<user>") || strings.Trim(joined(c.Publish.Methods), "GETPOS|") != "" || !strings.Contains(c.Publish.Rate+"none/", "/") {
			t.Errorf("open: %+v", c)
		}
	})
}

func TestLoaded_AgainReadsTheSameFile(t *testing.T) {
	path := write(t, "publish:\n  allow: none\ntries: 7\n")
	first, err := conf.Read(conf.Source{Environ: []string{"COMET_CONFIG=" + path, "COMET_SLEEP=3"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, text string
		says       string // "": no error
	}{
		{"unchanged", "publish:\n  allow: none\ntries: 7\n", ""},
		{"another one", "publish:\n  allow: none\n# tries: 7\n", ""},
		{"a longer one", "publish:\n  allow: none\ntries: 7\nlog: info\n", ""},
		{"cut at a line end", "publish:\n  allow: none\n", "is only the beginning of the file in force"},
		{"cut within a line", "publish:\n  allow: no", "is only the beginning of the file in force"},
		{"cut after a key", "publish:\n  allow:", "is only the beginning of the file in force"},
		{"emptied", "", "is only the beginning of the file in force"},
		{"without a value", "publish:\n  allow:\ntries: 7\n", "publish.allow has no value"},
		{"with a mistake", "tries: many", `"many" is not a whole number`},
		{"cut, with another beginning", "# new\ntries: 7\n", "no longer sets publish.allow"},
	} {
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		next, err := first.Again()
		if test.says != "" {
			mustSay(t, err, path+": ", test.says)
			continue
		}
		if err != nil || next.Sleep != 3*time.Second || next.File() != path || joined(next.Publish.Allow) != "" {
			t.Errorf("%s: %+v, %v", test.name, next, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = first.Again()
	mustSay(t, err, path, "no such file")
}

// A file that appears later is not read: the program may not be meant to have one.
func TestLoaded_AgainDoesNotSearch(t *testing.T) {
	l, err := conf.Read(conf.Source{File: os.DevNull, Flags: map[string]string{"listen": "127.0.0.1:9000"}})
	if err != nil {
		t.Fatal(err)
	}
	if l, err = l.Again(); err != nil || l.File() != "" || l.Listen != "127.0.0.1:9000" {
		t.Errorf("file %q, listen %q, %v", l.File(), l.Listen, err)
	}
}

func TestLoaded_SetsIsWhatIsNotADefault(t *testing.T) {
	l, err := conf.Read(conf.Source{File: write(t, "publish.allow: '*'"), Environ: []string{"COMET_TRIES=20"}, Flags: map[string]string{"listen": ""}})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{"publish.allow": true, "tries": true, "listen": true, "subscribe.allow": false} {
		if got := l.Sets(key); got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
}

func BenchmarkLoadDefaults(b *testing.B) { benchmarkLoad(b, os.DevNull) }

func BenchmarkLoadFile(b *testing.B) { benchmarkLoad(b, write(b, string(conf.YAML))) }

func benchmarkLoad(b *testing.B, file string) {
	from := conf.Source{File: file, Environ: os.Environ()}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conf.Load(from); err != nil {
			b.Fatal(err)
		}
	}
}
