package conf_test

import (
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"novcomet/conf"

	"go.yaml.in/yaml/v3"
)

// keys has three allowed values for each key, none of them the default, and the field they go to.
var keys = []struct {
	key                      string
	file, environment, flags string
	field                    func(conf.Config) any
	want                     [4]any // by default, file, environment and flags
}{
	{"tries", "1", "7", "100000", func(c conf.Config) any { return c.Tries }, [4]any{20, 1, 7, 100000}},
	{"sleep", "0.01", "500ms", "1h", func(c conf.Config) any { return c.Sleep },
		[4]any{2 * time.Second, 10 * time.Millisecond, 500 * time.Millisecond, time.Hour}},
	{"file.directory", "/a", "/b", "/c d", func(c conf.Config) any { return c.File.Directory }, [4]any{"/dev/shm", "/a", "/b", "/c d"}},
	{"file.mode", "0600", "666", "0o640", func(c conf.Config) any { return c.File.Mode },
		[4]any{fs.FileMode(0o664), fs.FileMode(0o600), fs.FileMode(0o666), fs.FileMode(0o640)}},
	{"file.create", "false", "yes", "off", func(c conf.Config) any { return c.File.Create }, [4]any{true, false, true, false}},
	{"file.notify", "false", "yes", "off", func(c conf.Config) any { return c.File.Notify }, [4]any{true, false, true, false}},
	{"listen", "unix:/a", "127.0.0.1:9000", "'[::1]:1'", func(c conf.Config) any { return c.Listen }, [4]any{"", "unix:/a", "127.0.0.1:9000", "[::1]:1"}},
	{"publish.allow", "none", "a", "[b]", func(c conf.Config) any { return joined(c.Publish.Allow) }, [4]any{"*", "", "a", "[b]"}},
	{"publish.methods", "GET", "POST", "none", func(c conf.Config) any { return joined(c.Publish.Methods) }, [4]any{"GET|POST", "GET", "POST", ""}},
	{"publish.rate", "10/s", "100/m", "10000/h", func(c conf.Config) any { return c.Publish.Rate }, [4]any{"none", "10/s", "100/m", "10000/h"}},
	{"subscribe.allow", "[news, 'chat-*']", "user:<user>:*", "none", func(c conf.Config) any { return joined(c.Subscribe.Allow) },
		[4]any{"*", "news|chat-*", "user:<user>:*", ""}},
	{"subscribe.signed", "private-*", "a, b", "none", func(c conf.Config) any { return joined(c.Subscribe.Signed) }, [4]any{"", "private-*", "a|b", ""}},
	{"subscribe.secret_file", here + "secrets", here + "./secrets", here + "../testdata/secrets", func(c conf.Config) any { return c.Subscribe.SecretFile },
		[4]any{"", here + "secrets", here + "./secrets", here + "../testdata/secrets"}},
	{"origins", "[https://a.example, https://b.example:8443]", "http://a.example", "'*'", func(c conf.Config) any { return joined(c.Origins) },
		[4]any{"", "https://a.example|https://b.example:8443", "http://a.example", "*"}},
	{"store", "memcached", "redis", "files", func(c conf.Config) any { return c.Store }, [4]any{"files", "memcached", "redis", "files"}},
	{"store_timeout", "0.01", "2", "1m", func(c conf.Config) any { return c.StoreTimeout },
		[4]any{time.Second, 10 * time.Millisecond, 2 * time.Second, time.Minute}},
	{"store_prefix", "''", "a:", "b", func(c conf.Config) any { return c.StorePrefix }, [4]any{"novcomet:", "", "a:", "b"}},
	{"memcached.servers", "['a:1', unix:/b]", "c:3,unix:/d", "'e:5'", func(c conf.Config) any { return c.Memcached.Servers },
		[4]any{[]string{"127.0.0.1:11211"}, []string{"a:1", "unix:/b"}, []string{"c:3", "unix:/d"}, []string{"e:5"}}},
	{"memcached.skew", "0", "0.1", "2s", func(c conf.Config) any { return c.Memcached.Skew },
		[4]any{time.Second, time.Duration(0), 100 * time.Millisecond, 2 * time.Second}},
	{"redis.addresses", "\n  - a:1\n  - '[::1]:2'", "c:3,d:4", "'e:5'", func(c conf.Config) any { return c.Redis.Addresses },
		[4]any{[]string{"127.0.0.1:6379"}, []string{"a:1", "[::1]:2"}, []string{"c:3", "d:4"}, []string{"e:5"}}},
	{"redis.master", "mymaster", "b", "c", func(c conf.Config) any { return c.Redis.Master }, [4]any{"", "mymaster", "b", "c"}},
	{"redis.username", "a", "b", "c", func(c conf.Config) any { return c.Redis.Username }, [4]any{"", "a", "b", "c"}},
	{"redis.password_file", "/a", "/b", "/c", func(c conf.Config) any { return c.Redis.PasswordFile }, [4]any{"", "/a", "/b", "/c"}},
	{"redis.tls", "true", "on", "yes", func(c conf.Config) any { return c.Redis.TLS }, [4]any{false, true, true, true}},
	{"redis.expire", "1m", "24h", "87600h", func(c conf.Config) any { return c.Redis.Expire },
		[4]any{time.Duration(0), time.Minute, 24 * time.Hour, 87600 * time.Hour}},
	{"data.max_bytes", "1", "7", "16777216", func(c conf.Config) any { return c.Data.MaxBytes }, [4]any{65536, 1, 7, 16777216}},
	{"stream.comment", "0.1", "2", "10m", func(c conf.Config) any { return c.Stream.Comment },
		[4]any{20 * time.Second, 100 * time.Millisecond, 2 * time.Second, 10 * time.Minute}},
	{"stream.end", "0.1", "2", "24h", func(c conf.Config) any { return c.Stream.End },
		[4]any{10 * time.Minute, 100 * time.Millisecond, 2 * time.Second, 24 * time.Hour}},
	{"status", "on", "true", "yes", func(c conf.Config) any { return c.Status }, [4]any{false, true, true, true}},
	{"socket.mode", "0666", "0600", "0662", func(c conf.Config) any { return c.Socket.Mode },
		[4]any{fs.FileMode(0o660), fs.FileMode(0o666), fs.FileMode(0o600), fs.FileMode(0o662)}},
	{"socket.group", "www-data", "33", "adm", func(c conf.Config) any { return c.Socket.Group }, [4]any{"", "www-data", "33", "adm"}},
	{"log", "debug", "warn", "error", func(c conf.Config) any { return c.Log }, [4]any{"info", "debug", "warn", "error"}},
	{"log_format", "json", "json", "text", func(c conf.Config) any { return c.LogFormat }, [4]any{"text", "json", "json", "text"}},
	{"max_request", "4096", "4097", "16777216", func(c conf.Config) any { return c.MaxRequest }, [4]any{65536, 4096, 4097, 16777216}},
	{"max_waiting", "1", "7", "1000000", func(c conf.Config) any { return c.MaxWaiting }, [4]any{0, 1, 7, 1000000}},
	{"max_events", "0", "7", "10000000", func(c conf.Config) any { return c.MaxEvents }, [4]any{100000, 0, 7, 10000000}},
	{"max_serving", "1", "7", "10000", func(c conf.Config) any { return c.MaxServing }, [4]any{32, 1, 7, 10000}},
	{"request_timeout", "0.1", "2", "10m", func(c conf.Config) any { return c.RequestTimeout },
		[4]any{10 * time.Second, 100 * time.Millisecond, 2 * time.Second, 10 * time.Minute}},
}

const (
	secretA = "0123456789abcdef0123456789abcdef"
	secretB = "fedcba9876543210fedcba9876543210"
)

// here is the directory of the test's own files, absolute.
var here = func() string {
	directory, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return directory + "/testdata/"
}()

func joined(list []string) string { return strings.Join(list, "|") }

func variable(key string) string {
	return "COMET_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// Every combination of layers, for every key: the strongest layer that sets the key decides.
func TestFlagsBeatEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	for _, k := range keys {
		for layers := range 8 {
			from, want := conf.Source{File: os.DevNull}, k.want[0]
			if layers&1 != 0 {
				from.File, want = write(t, k.key+": "+k.file+"\n"), k.want[1]
			}
			if layers&2 != 0 {
				from.Environ, want = []string{"PATH=/bin", variable(k.key) + "=" + k.environment}, k.want[2]
			}
			if layers&4 != 0 {
				from.Flags, want = map[string]string{k.key: strings.Trim(k.flags, "'")}, k.want[3]
			}
			t.Run(fmt.Sprintf("%s/%03b", k.key, layers), func(t *testing.T) {
				if got := k.field(load(t, from)); !reflect.DeepEqual(got, want) {
					t.Errorf("%s is %v, want %v", k.key, got, want)
				}
			})
		}
	}
}

// A key of comet.yaml without a row above, or a field that no key sets, would escape the tests.
func TestEveryKeyIsTestedAndHasAField(t *testing.T) {
	var shipped, tested, fields []string
	walk(t, "", document(t), func(key string, _, value *yaml.Node) {
		if value.Kind != yaml.MappingNode {
			shipped = append(shipped, key)
		}
	})
	for _, k := range keys {
		tested = append(tested, k.key)
	}
	var collect func(prefix string, s reflect.Type)
	collect = func(prefix string, s reflect.Type) {
		for i := range s.NumField() {
			key := prefix + s.Field(i).Tag.Get("mapstructure")
			if s.Field(i).Type.Kind() == reflect.Struct {
				collect(key+".", s.Field(i).Type)
				continue
			}
			fields = append(fields, key)
		}
	}
	collect("", reflect.TypeFor[conf.Config]())
	if !reflect.DeepEqual(shipped, tested) || !reflect.DeepEqual(shipped, fields) {
		t.Errorf("keys of comet.yaml:\n%q\nof the tests:\n%q\nof Config:\n%q", shipped, tested, fields)
	}
}

func TestEveryKeyHasAVariableOfItsOwn(t *testing.T) {
	keyOf := map[string]string{"COMET_CONFIG": "the file itself"}
	for _, k := range keys {
		if other, ok := keyOf[variable(k.key)]; ok {
			t.Errorf("%s means %s and %s", variable(k.key), k.key, other)
		}
		keyOf[variable(k.key)] = k.key
	}
}

func TestShippedFileSaysWhatHoldsWithoutIt(t *testing.T) {
	if got, want := load(t, conf.Source{File: write(t, string(conf.YAML))}), defaults(t); !reflect.DeepEqual(got, want) {
		t.Errorf("with the shipped file %+v\nwithout       %+v", got, want)
	}
}

func TestEveryKeyOfTheShippedFileIsExplained(t *testing.T) {
	settable := strings.Fields(strings.ReplaceAll(can, ",", "")) // per location
	walk(t, "", document(t), func(key string, name, _ *yaml.Node) {
		if len(name.HeadComment) < 40 {
			t.Errorf("%s: its comment is %q", key, name.HeadComment)
		}
		if marked := strings.HasSuffix(name.HeadComment, "[location]"); marked != slices.Contains(settable, variable(key)) {
			t.Errorf("%s: marked [location]: %v", key, marked)
		}
	})
}

func TestDefaultsWarnOfNothing(t *testing.T) {
	if lines := defaults(t).Warnings(); len(lines) != 0 {
		t.Errorf("%q", lines)
	}
}

func TestWarningsSayWhatToDo(t *testing.T) {
	for text, words := range map[string][]string{
		"{tries: 26, sleep: 2}": {"52s", "allow 65s", "fastcgi_read_timeout", "ProxyTimeout", "FcgidIOTimeout", "72 seconds"},
		"listen: 0.0.0.0:9000":  {"0.0.0.0:9000", "firewall"},
		"listen: '[::]:9000'":   {"[::]:9000", "firewall"},
		"listen: backend:9000":  {"backend:9000", "firewall", "FCGI_WEB_SERVER_ADDRS"},
		"subscribe.signed: a":   {"subscribe.signed", "nobody can subscribe", "subscribe.secret_file"},
		"{subscribe.signed: a, subscribe.secret_file: " + here + "secrets}": nil,
		"status: on":             {"every location", "COMET_STATUS", "fastcgi_param", "SetEnv"},
		"{tries: 25, sleep: 2}":  nil,
		"listen: unix:/run/x":    nil,
		"listen: 127.0.0.2:9000": nil,
		"listen: '[::1]:9000'":   nil,
		"listen: localhost:9000": nil,
	} {
		lines := load(t, conf.Source{File: write(t, text)}).Warnings()
		if words == nil && len(lines) > 0 || words != nil && len(lines) != 1 {
			t.Errorf("%s: %q", text, lines)
			continue
		}
		for _, word := range words {
			if !strings.Contains(lines[0], word) || strings.Contains(lines[0], "\n") {
				t.Errorf("%s: %q does not say %q in one line", text, lines[0], word)
			}
		}
	}
}

// By default an answer carries up to 1 MiB.
func TestData_MaxAnswerIs16TimesMaxBytes(t *testing.T) {
	if got := defaults(t).Data.MaxAnswer(); got != 1<<20 {
		t.Errorf("by default %d", got)
	}
	if got := load(t, conf.Source{File: write(t, "data.max_bytes: 16777216")}).Data.MaxAnswer(); got != 256<<20 {
		t.Errorf("for the largest max_bytes %d", got)
	}
}

func TestWaitIsTriesTimesSleep(t *testing.T) {
	if wait := defaults(t).Wait(); wait != 40*time.Second {
		t.Errorf("by default %v", wait)
	}
	longest := load(t, conf.Source{File: write(t, "tries: 100000\nsleep: 1h\n")})
	if wait := longest.Wait(); wait != 100000*time.Hour {
		t.Errorf("the longest is %v", wait)
	}
}

func document(t *testing.T) *yaml.Node {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal(conf.YAML, &document); err != nil {
		t.Fatal(err)
	}
	return document.Content[0]
}

// walk calls visit for every key of a mapping and of those in it.
func walk(t *testing.T, above string, mapping *yaml.Node, visit func(key string, name, value *yaml.Node)) {
	t.Helper()
	for i := 0; i < len(mapping.Content); i += 2 {
		name, value := mapping.Content[i], mapping.Content[i+1]
		visit(above+name.Value, name, value)
		if value.Kind == yaml.MappingNode {
			walk(t, above+name.Value+".", value, visit)
		}
	}
}
