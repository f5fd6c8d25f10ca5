package conf

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"novcomet/core/access"
)

func patternsOf(globs ...string) access.Patterns {
	return must(access.ParsePatterns(append([]string{}, globs...)))
}

func originsOf(sites ...string) access.Origins { return must(access.ParseOrigins(sites)) }

func signedOf(globs ...string) access.Signed {
	return must(access.NewSigned(append([]string{}, globs...), nil))
}

func rateOf(text string) access.Rate { return must(access.ParseRate(text)) }

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// settable has three values of each key, none of them the default: as a file, a variable and a flag have
// them.
var settable = []struct {
	key                          string
	inFile, inVariable, inFlag   string
	initial, file, environ, flag any
}{
	{"tries", "1", "7", "100000", 20, 1, 7, 100000},
	{"sleep", "0.01", "500ms", "1h", 2 * time.Second, 10 * time.Millisecond, 500 * time.Millisecond, time.Hour},
	{"file.directory", "/a", "/b", "/c d", "/dev/shm", "/a", "/b", "/c d"},
	{"file.mode", "0600", "666", "0o640", fs.FileMode(0o664), fs.FileMode(0o600), fs.FileMode(0o666),
		fs.FileMode(0o640)},
	{"file.create", "false", "no", "off", true, false, false, false},
	{"file.notify", "false", "no", "off", true, false, false, false},
	{"listen", "unix:/a", "127.0.0.1:9000", "[::1]:1", "", "unix:/a", "127.0.0.1:9000", "[::1]:1"},
	{"publish.allow", "[]", "a", "[b]", patternsOf("*"), patternsOf(), patternsOf("a"), patternsOf("[b]")},
	{"publish.methods", "GET", "POST", "none", []string{"GET", "POST"}, []string{"GET"}, []string{"POST"}, []string{}},
	{"publish.rate", "10/s", "100/m", "10000/h", access.Rate{}, rateOf("10/s"), rateOf("100/m"), rateOf("10000/h")},
	{"subscribe.allow", "[news, 'a,b', none]", "user:<user>:*", "none",
		patternsOf("*"), patternsOf("news", "a,b", "none"), patternsOf("user:<user>:*"), patternsOf()},
	{"subscribe.signed", "private-*", "a, b", "c", signedOf(), signedOf("private-*"), signedOf("a", "b"),
		signedOf("c")},
	{"subscribe.secret_file", testdata + "secrets", testdata + "./secrets", testdata + "../testdata/secrets",
		"", testdata + "secrets", testdata + "./secrets", testdata + "../testdata/secrets"},
	{"origins", "[https://a.example, https://b.example:8443]", "http://a.example", "*",
		originsOf(), originsOf("https://a.example", "https://b.example:8443"), originsOf("http://a.example"),
		originsOf("*")},
	{"store", "memcached", "redis", "memcached", "files", "memcached", "redis", "memcached"},
	{"store_timeout", "0.01", "2", "1m", time.Second, 10 * time.Millisecond, 2 * time.Second, time.Minute},
	{"store_prefix", "''", "a:", "b", "novcomet:", "", "a:", "b"},
	{"memcached.servers", "['a:1', unix:/b]", "c:3,unix:/d", "e:5",
		[]string{"127.0.0.1:11211"}, []string{"a:1", "unix:/b"}, []string{"c:3", "unix:/d"}, []string{"e:5"}},
	{"memcached.skew", "0", "0.1", "2s", time.Second, time.Duration(0), 100 * time.Millisecond, 2 * time.Second},
	{"redis.addresses", "\n  - a:1\n  - '[::1]:2'", "c:3,d:4", "e:5",
		[]string{"127.0.0.1:6379"}, []string{"a:1", "[::1]:2"}, []string{"c:3", "d:4"}, []string{"e:5"}},
	{"redis.master", "mymaster", "b", "c", "", "mymaster", "b", "c"},
	{"redis.username", "a", "b", "c", "", "a", "b", "c"},
	{"redis.password_file", "/a", "/b", "/c", "", "/a", "/b", "/c"},
	{"redis.tls", "true", "on", "yes", false, true, true, true},
	{"redis.expire", "1m", "24h", "87600h", time.Duration(0), time.Minute, 24 * time.Hour, 87600 * time.Hour},
	{"data.max_bytes", "1", "7", "16777216", 65536, 1, 7, 16777216},
	{"stream.comment", "0.1", "2", "10m", 20 * time.Second, 100 * time.Millisecond, 2 * time.Second, 10 * time.Minute},
	{"stream.end", "0.1", "2", "24h", 10 * time.Minute, 100 * time.Millisecond, 2 * time.Second, 24 * time.Hour},
	{"stream.formats", "raw", "turbo", "turbo, raw", []access.Format{}, []access.Format{access.Raw},
		[]access.Format{access.Turbo}, []access.Format{access.Turbo, access.Raw}},
	{"status", "on", "true", "yes", false, true, true, true},
	{"socket.mode", "0666", "0600", "0662", fs.FileMode(0o660), fs.FileMode(0o666), fs.FileMode(0o600),
		fs.FileMode(0o662)},
	{"socket.group", "www-data", "33", "adm", "", "www-data", "33", "adm"},
	{"cgi.max_waiting", "0", "7", "10000", 32, 0, 7, 10000},
	{"log", "debug", "warn", "error", "info", "debug", "warn", "error"},
	{"log_format", "json", "json", "json", "text", "json", "json", "json"},
	{"max_request", "4096", "4097", "16777216", 65536, 4096, 4097, 16777216},
	{"max_waiting", "1", "7", "1000000", 0, 1, 7, 1000000},
	{"max_events", "0", "7", "10000000", 100000, 0, 7, 10000000},
	{"max_serving", "1", "7", "10000", 32, 1, 7, 10000},
	{"max_buffered", "1048576", "2097152", "1073741824", 64 << 20, 1 << 20, 2 << 20, 1 << 30},
	{"request_timeout", "0.1", "2", "10m", 10 * time.Second, 100 * time.Millisecond, 2 * time.Second, 10 * time.Minute},
}

func TestLoad_FlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	var tested []string
	for _, s := range settable {
		tested = append(tested, s.key)
		for layers := range 8 {
			from, want, origin := Source{File: os.DevNull}, s.initial, fromDefault
			if layers&1 != 0 {
				from.File = write(t, s.key+": "+s.inFile+"\n")
				want, origin = s.file, from.File
			}
			if layers&2 != 0 {
				from.Environ = fromVariable(s.key, s.inVariable).Environ
				want, origin = s.environ, "environment variable "+variableOf(s.key)
			}
			if layers&4 != 0 {
				from.Flags = map[string]string{s.key: s.inFlag}
				want, origin = s.flag, "flag --"+s.key
			}
			t.Run(fmt.Sprintf("%s/%03b", s.key, layers), func(t *testing.T) {
				l, err := Read(from)
				if err != nil {
					t.Fatal(err)
				}
				if got := fieldOf(l.Config, s.key); !reflect.DeepEqual(got, want) {
					t.Errorf("%s is %v, want %v", s.key, got, want)
				}
				if got := l.Sets(s.key); got != (layers > 0) {
					t.Errorf("it is set: %v", got)
				}
				values, file, err := Explain(from)
				if err != nil || file != strings.TrimPrefix(from.File, os.DevNull) {
					t.Errorf("file %q, %v", file, err)
				}
				for i, v := range values {
					if v.Key != keys[i].name || v.Key == s.key && v.From != origin || v.Key != s.key &&
						v.From != fromDefault {
						t.Errorf("explained as %+v, want it from %s", v, origin)
					}
				}
			})
		}
	}
	if want := namesOf(""); !slices.Equal(tested, want) {
		t.Errorf("tested are\n%q\nof\n%q", tested, want)
	}
}

func TestLoad_WithoutSettings(t *testing.T) {
	c := defaults(t)
	if c.Wait() != 40*time.Second || c.Data.MaxAnswer() != 1<<20 {
		t.Errorf("a poll waits %v, an answer carries %d bytes", c.Wait(), c.Data.MaxAnswer())
	}
	others := []string{"TRIES=5", "HTTP_COMET_TRIES=5", "comet_tries=5", "XCOMET_TRIES=5", "COMET_SLEEP=",
		"COMET_FILE_MODE=", "NOVALUE", ""}
	if got := load(t, Source{File: os.DevNull, Environ: others}); !reflect.DeepEqual(got, c) {
		t.Errorf("variables of other programs and empty ones change the settings: %+v", got)
	}
}

// comet-fcgi --listen "" uses the socket that another program passes, even if the file sets listen.
func TestLoad_EmptyFlagIsAValue(t *testing.T) {
	c := load(t, Source{File: write(t, "listen: 127.0.0.1:9000"), Flags: map[string]string{"listen": ""}})
	if c.Listen != "" {
		t.Errorf("listen %q", c.Listen)
	}
}

// An administrator can try another value by a variable before correcting the file.
func TestLoad_ChecksOnlyTheValueThatCounts(t *testing.T) {
	c := load(t, Source{File: write(t, "tries: many\n"), Environ: []string{"COMET_TRIES=3"}})
	if c.Tries != 3 {
		t.Errorf("tries %d", c.Tries)
	}
	_, err := Load(Source{File: write(t, "tries: 5\n"), Environ: []string{"COMET_TRIES=0"}})
	wantError(t, err, `environment variable COMET_TRIES: tries: "0"`)
	_, err = Load(Source{File: os.DevNull, Environ: []string{"COMET_TRIES=5"}, Flags: map[string]string{"tries": "0"}})
	wantError(t, err, `flag --tries: tries: "0"`)
}

func TestLoad_RefusesUnknownNames(t *testing.T) {
	for variable, words := range map[string]string{
		"COMET_TRYS=5":         `unknown environment variable "COMET_TRYS": did you mean COMET_TRIES?`,
		"COMET_FILEDIRECTORY=": `did you mean COMET_FILE_DIRECTORY?`,
		"COMET_WHATEVER=1":     `"COMET_WHATEVER": conf/comet.yaml lists all keys`,
		"COMET_=1":             `unknown environment variable "COMET_"`,
		"COMET_FILE=1":         `unknown environment variable "COMET_FILE"`,
		"COMET_file_mode=0600": `did you mean COMET_FILE_MODE?`,
		"COMET_FILE.MODE=0600": `did you mean COMET_FILE_MODE?`,
		"COMET_USER=ann":       `environment variable COMET_USER: only a web server can set it`,
	} {
		_, err := Load(Source{File: os.DevNull, Environ: []string{variable}})
		wantError(t, err, words)
		if _, _, err = Explain(Source{File: os.DevNull, Environ: []string{variable}}); err == nil {
			t.Errorf("%s is explained", variable)
		}
	}
	_, err := Load(Source{File: os.DevNull, Flags: map[string]string{"listn": ""}})
	wantError(t, err, `flag --listn: unknown key "listn": did you mean listen?`)
}

func TestExplain_ShowsAValueThatIsNotAllowed(t *testing.T) {
	values, _, err := Explain(Source{File: write(t, "store: [a b, c]"), Environ: []string{"COMET_TRIES=many"}})
	if err != nil || values[0] != (Value{"tries", "many", "environment variable COMET_TRIES"}) {
		t.Errorf("%+v, %v", values[:1], err)
	}
	i := slices.Index(namesOf(""), "store")
	if values[i].Value != `["a b", "c"]` {
		t.Errorf("%+v", values[i])
	}
}

func TestExplain_ShowsWholeValuesInOneLine(t *testing.T) {
	long := strings.Repeat("news, ", 50) + "chat"
	for value, want := range map[string]string{
		"": "", "a": "a", `a"`: `a"`, `"a"`: `"a"`, "a b": "a b", long: long,
		"a\nb": `"a\nb"`, "a\x1bb": `"a\x1bb"`, "a\x9bb": `"a\x9bb"`,
	} {
		values, _, err := Explain(Source{File: os.DevNull, Flags: map[string]string{"publish.allow": value}})
		i := slices.Index(namesOf(""), "publish.allow")
		if err != nil || values[i].Value != want {
			t.Errorf("%q is shown as %s, %v; want %s", value, values[i].Value, err, want)
		}
	}
	values, _, _ := Explain(Source{File: write(t, `publish.allow: ["`+long+`", 'b"']`)})
	i := slices.Index(namesOf(""), "publish.allow")
	if want := `["` + long + `", "b\""]`; values[i].Value != want {
		t.Errorf("a list is shown as %s; want %s", values[i].Value, want)
	}
}

func TestLoaded_Again(t *testing.T) {
	path := write(t, "publish:\n  allow: none\ntries: 7\n")
	first, err := Read(Source{Environ: []string{"COMET_CONFIG=" + path, "COMET_SLEEP=3"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, text string
		wants      string // "": no error
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
		if test.wants != "" {
			wantError(t, err, path+": ", test.wants)
			continue
		}
		if err != nil || next.Sleep != 3*time.Second || next.File() != path || next.Publish.Allow.String() != "none" {
			t.Errorf("%s: %+v, %v", test.name, next.Config, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = first.Again()
	wantError(t, err, path, "no such file")
}

// A file that appears later is not read, because it may allow more.
func TestLoaded_AgainDoesNotSearch(t *testing.T) {
	l, err := Read(Source{File: os.DevNull, Flags: map[string]string{"listen": "127.0.0.1:9000"}})
	if err != nil {
		t.Fatal(err)
	}
	if l, err = l.Again(); err != nil || l.File() != "" || l.Listen != "127.0.0.1:9000" {
		t.Errorf("file %q, listen %q, %v", l.File(), l.Listen, err)
	}
}

func TestLoaded_RestartKeysAreThoseThatChange(t *testing.T) {
	read := func(text string) Loaded { return must(Read(Source{File: write(t, text)})) }
	long := strings.Repeat("server:11211, ", 20) + "server:11211"
	for text, want := range map[string][]string{
		"tries: 5": nil, "max_serving: 32": nil, "max_serving: 7\nlisten: unix:/a": {"listen", "max_serving"},
		"{log_format: json, socket: {mode: 0600, group: adm}}": {"socket.mode", "socket.group", "log_format"},
		"store_timeout: 1000ms":                                nil, // the default, written in another way
		"memcached.servers: " + long + ", last:11211":          {"memcached.servers"},
	} {
		before := "tries: 2"
		if strings.Contains(text, long) { // longer than a message shows
			before = "memcached.servers: " + long
		}
		if names, _ := read(before).RestartKeys(read(text)); !slices.Equal(names, want) {
			t.Errorf("%s: %q, want %q", text, names, want)
		}
	}
}

func TestLoaded_RestartKeysNameThoseOfTheStore(t *testing.T) {
	before := must(Read(Source{File: write(t, "tries: 2")}))
	after := must(Read(Source{File: write(t, "store: redis\nfile.mode: 0600\nredis.tls: true\nlog_format: json")}))
	names, store := before.RestartKeys(after)
	want := []string{"file.mode", "store", "redis.tls"}
	if !slices.Equal(store, want) || !slices.Equal(names, append(want, "log_format")) {
		t.Errorf("%q, of the store %q", names, store)
	}
}

// The files that an administrator installs let nobody publish by URL. The line that is a comment does what
// comet.php did.
func TestLoad_InstalledFilesLetNobodyPublishByURL(t *testing.T) {
	for _, file := range []string{"../examples/comet.yaml", "../examples/cluster/comet.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		open := regexp.MustCompile(`(?m)^publish:\n(  .*\n)+`).ReplaceAllString(string(text), "")
		open = regexp.MustCompile(`(?m)^# (publish: .*)$`).ReplaceAllString(open, "$1")
		// examples/systemd/novcomet.conf, examples/publish/README.md
		const directory = "file: {directory: /run/novcomet/events}\n"
		for text, allow := range map[string]string{string(text): "none", open: "*", string(text) + directory: "none"} {
			c, err := Load(Source{File: write(t, text)})
			if err != nil || c.Publish.Allow.String() != allow {
				t.Errorf("%s:\n%s\npublish.allow %q, %v; want %s", file, text, c.Publish.Allow, err, allow)
			}
		}
	}
}

// Every text gives settings within their ranges, or an error of one line.
func FuzzLoad(f *testing.F) {
	f.Add(cometYAML(f))
	for _, w := range wrong {
		f.Add([]byte(w.key + ": " + w.values[0]))
		f.Add([]byte(w.key + ": [" + w.values[0] + "]"))
	}
	f.Add([]byte("{subscribe: {allow: [news, 'user:<user>:*'], signed: 'private-*', secret_file: " + testdata +
		"secrets}, publish.rate: 10/m, origins: '*'}"))
	path := filepath.Join(f.TempDir(), "comet.yaml")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(Source{File: path})
		if err != nil {
			if !reflect.DeepEqual(c, Config{}) || strings.ContainsAny(err.Error(), "\n\r\x00\x1b") ||
				!strings.HasPrefix(err.Error(), path) {
				t.Errorf("%+v, %q", c, err)
			}
			return
		}
		mode := func(m fs.FileMode) bool { return m&0o600 == 0o600 && m&^0o666 == 0 }
		if c.Tries < 1 || c.Tries > 100_000 || c.Sleep < 10*time.Millisecond || c.Sleep > time.Hour ||
			len(c.Memcached.Servers) == 0 || len(c.Redis.Addresses) == 0 || c.Publish.Methods == nil ||
			c.Store != "files" && c.Store != "memcached" && c.Store != "redis" ||
			!filepath.IsAbs(c.File.Directory) || !mode(c.File.Mode) || !mode(c.Socket.Mode) ||
			c.MaxRequest < 4096 || c.MaxRequest > 16<<20 || c.RequestTimeout < 100*time.Millisecond ||
			c.RequestTimeout > 10*time.Minute ||
			c.Listen != "" && !strings.Contains(c.Listen, ":") ||
			strings.ContainsAny(c.Socket.Group+c.Listen+c.File.Directory, "\n\x00") ||
			strings.Contains(c.Subscribe.Signed.String(), "<user>") || strings.Trim(strings.Join(c.Publish.Methods,
			""), "GETPOS") != "" {
			t.Errorf("out of range: %+v", c)
		}
	})
}

func BenchmarkLoadDefaults(b *testing.B) { benchmarkLoad(b, os.DevNull) }

func BenchmarkLoadFile(b *testing.B) { benchmarkLoad(b, write(b, string(cometYAML(b)))) }

func benchmarkLoad(b *testing.B, file string) {
	from := Source{File: file, Environ: os.Environ()}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(from); err != nil {
			b.Fatal(err)
		}
	}
}
