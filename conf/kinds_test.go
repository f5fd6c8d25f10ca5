package conf

import (
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	allowedMode     = `give an octal mode such as "0660", from "0600" to "0666", that includes 0600`
	seconds         = "give seconds (2, 0.5) or a unit (500ms, 1m), from "
	hugeNumber      = "99999999999999999999999999"
	wrapsIntoRange  = "18446744073709551626" // 2^64 + 10
	modeWrapsToGood = "40000000000660"       // 2^32 × something + 0660, in octal
)

var (
	wrongPatterns = []string{"[a", "a[]", `a\`, "[<user>]", `\<user>`, "a/b", "a\nb", "b\x00", "news,a/b", "a/b , news",
		"news,", ",news", ",", ""}
	wrongNames = []string{"a\nb", strings.Repeat("x", 300)}
)

// wrong has values of each key that are not allowed.
var wrong = []struct {
	key, allowed string
	values       []string
}{
	{"tries", "give a whole number from 1 to 100000", []string{"0", "-1", "100001", "2.5", "20.0", "1e9", "1_000", "0x14",
		"many", "true", "", " 5", hugeNumber, "-" + hugeNumber, wrapsIntoRange, "inf", ".inf", "NaN", "2s", "20\n",
		"5\x1b[31m"}},
	{"sleep", seconds + "10ms to 1h", []string{"0", "0.009", "9ms", "-2", "-2s", "3601", "61m", "1e9", "1e400", "-1e400",
		"inf", "-inf", "NaN", ".nan", "2 seconds", "2 s", "two", "", "1d", "9223372036.854775808",
		"18446744073709.551616", hugeNumber, hugeNumber + "h", "true"}},
	{"file.directory", "give an absolute path such as /dev/shm", []string{"", ".", "events", "./dev/shm", "~/events",
		"/a\nb", "/a\x1bb", "/" + strings.Repeat("x", 5000)}},
	{"file.mode", allowedMode, []string{"", "0", "0400", "0060", "0777", "0700", "02664", "-0664", "436", "rw-rw-r--",
		"0x1b4", "0999", "664.0", hugeNumber, strings.Repeat("7", 40), modeWrapsToGood}},
	{"file.create", "give true or false", []string{"", "1", "never", "FALSE"}},
	{"file.notify", "give true or false", []string{"", "1", "maybe", "TRUE", "truE", "true\n"}},
	{"listen", "give unix: and an absolute path of at most 107 bytes (unix:/run/novcomet/comet.sock), a host and a port " +
		"from 1 to 65535", []string{":9000", "9000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
		"127.0.0.1:-1", "127.0.0.1:http", "::1:9000", "a b:9000", "unix:", "unix:comet.sock",
		"unix:/" + strings.Repeat("x", 107), "/run/comet.sock", "http://a:9000", "tcp:/a:1", "a:1\n"}},
	{"publish.allow", "give patterns of ids", wrongPatterns},
	{"publish.methods", "give GET, POST", []string{"get", "PUT", "HEAD", "OPTIONS", "GET POST", "*", "GET,", ",GET",
		"GET,,POST", ",", ""}},
	{"publish.rate", "give 1 to 10000 per second", []string{"", "0/s", "10", "10/d", "10/sec", "10 / s", "-1/s", "1.5/s",
		"10001/s", "010/s", "/s", "10/s\n", hugeNumber + "/s"}},
	{"subscribe.allow", "give patterns of ids", wrongPatterns},
	{"subscribe.signed", "give patterns of ids", append([]string{"user:<user>:*"}, wrongPatterns...)},
	{"subscribe.secret_file", "give the absolute path of a file", []string{"testdata/secrets", "a,b", "/a\nb"}},
	{"origins", "give sites such as", []string{"example.com", "https://", "https://example.com/", "https://example.com/a",
		"https://a@example.com", "https://example.com?", "https://*.example.com", "https://exämple.com", "null",
		"//example.com", "https://a b", "https://example.com:port", "https://a.example, b", "https://a.example,", ""}},
	{"store", "give files, memcached or redis", []string{"", "Files", "file", "valkey", "5", "files\n", "files,redis"}},
	{"store_timeout", seconds + "10ms to 1m", []string{"0", "0.009", "-1", "61", "2m", "NaN", "", "soon", hugeNumber}},
	{"store_prefix", "give at most 40 bytes without spaces and control characters, or nothing",
		[]string{"a b", " ", "a\x1b", "a\u00a0", strings.Repeat("x", 41)}},
	{"memcached.servers", "give a host and a port (127.0.0.1:11211), or unix: and an absolute path, for each server, at " +
		"least one", []string{"", " ", "none", ",", "a:1,", "a:1,,b:2", "a", ":11211", "a:0", "a:65536", "a b:1",
		"unix:b", "a:1 b:2", "unix:/" + strings.Repeat("x", 107)}},
	{"memcached.skew", "from 0 to 2s", []string{"-0.1", "2.001", "3s", "NaN", "", "1 s", hugeNumber}},
	{"redis.addresses", "give a host and a port", []string{"", "none", "a", "unix:/run/redis.sock", "redis://a:1",
		"a:1,,b:2"}},
	{"redis.master", "name", wrongNames},
	{"redis.username", "give a name", wrongNames},
	{"redis.password_file", "give an absolute path", []string{"password", "./password", "~/password", "/a\nb",
		"/" + strings.Repeat("x", 5000)}},
	{"redis.tls", "give true or false", []string{"", "1", "maybe"}},
	{"redis.expire", "give 0 for never", []string{"1", "59s", "-1", "never", "", "87601h", hugeNumber}},
	{"data.max_bytes", "from 1 to 16777216", []string{"0", "-1", "16777217", "64k", "", hugeNumber, wrapsIntoRange}},
	{"stream.comment", "from 100ms to 10m", []string{"0", "0.099", "-1", "601", "11m", "NaN", "", "often", hugeNumber}},
	{"stream.end", "from 100ms to 24h", []string{"0", "0.099", "-1", "86401", "25h", "NaN", "", "never", hugeNumber}},
	{"stream.formats", "give raw, turbo, or both separated by a comma, or none",
		[]string{"html", "Raw", "raw turbo", "raw,", "", "raw,,turbo", "raw\n, html", "native"}},
	{"status", "give on or off", []string{"", "1", "maybe", "ON", "on\n"}},
	{"socket.mode", allowedMode, []string{"", "0", "0060", "0770", "01660", "all", "-1", modeWrapsToGood}},
	{"socket.group", "give a group's name or number", append([]string{"-1", "+5", "4294967295", "4294967296", hugeNumber,
		"a:b", "a/b", "a,b"}, wrongNames...)},
	{"cgi.max_waiting", "from 0 to 10000", []string{"-1", "10001", "many", "", "1.5", hugeNumber, wrapsIntoRange}},
	{"log", "give error, warn, info or debug", []string{"", "warning", "INFO", "info+1", "0", "info,debug"}},
	{"log_format", "give text or json", []string{"", "JSON", "xml", "text\n"}},
	{"max_request", "give bytes, a whole number from 4096 to 16777216", []string{"0", "-65536", "4095", "16777217", "64k",
		"64 KiB", "65536.0", "", hugeNumber, wrapsIntoRange}},
	{"max_waiting", "from 0 to 1000000", []string{"-1", "1000001", "many", "", "1.5", hugeNumber, wrapsIntoRange}},
	{"max_events", "from 0 to 10000000", []string{"-1", "10000001", "many", "", "1.5", hugeNumber, wrapsIntoRange}},
	{"max_serving", "from 1 to 10000", []string{"0", "-1", "10001", "", "64k", hugeNumber, wrapsIntoRange}},
	{"max_buffered", "from 1048576 to 1073741824", []string{"0", "-1", "1048575", "1073741825", "", "64k", hugeNumber,
		wrapsIntoRange}},
	{"request_timeout", seconds + "100ms to 10m", []string{"0", "0.099", "99ms", "-1", "601", "11m", "NaN", "inf", "",
		"soon", hugeNumber}},
}

// lists are the keys that may have a YAML list.
var lists = []string{"publish.allow", "publish.methods", "subscribe.allow", "subscribe.signed", "origins",
	"stream.formats", "memcached.servers", "redis.addresses"}

func TestKind_RefusesAWrongValueFromEachSource(t *testing.T) {
	c := defaults(t)
	var tested []string
	for _, w := range wrong {
		tested = append(tested, w.key)
		for _, value := range w.values {
			t.Run(w.key+"="+quote(value), func(t *testing.T) {
				refuses(t, w.key+": "+strconv.Quote(value)+"\n", w.key+": ", w.allowed)
				_, err := Load(Source{File: os.DevNull, Flags: map[string]string{w.key: value}})
				wantError(t, err, "flag --"+w.key+": "+w.key+": ", w.allowed)
				if value == "" {
					return // A key whose variable is empty is not set.
				}
				_, err = Load(fromVariable(w.key, value))
				wantError(t, err, "environment variable "+variableOf(w.key)+": "+w.key+": ", w.allowed)
				if byName[w.key].scope == location {
					_, err = c.Locate(variables(variableOf(w.key), value))
					wantError(t, err, "variable "+variableOf(w.key)+": "+w.key+": ", w.allowed)
				}
			})
		}
		if !slices.Contains(lists, w.key) {
			for _, list := range []string{"[1, 2]", "[]", "\n  - files"} {
				refuses(t, w.key+": "+list+"\n", w.key+": a list is not allowed: give ", w.allowed)
			}
		}
		for _, group := range []string{"{a: 1}", "{}"} {
			refuses(t, w.key+": "+group, "line 1: "+w.key+": keys below it are not allowed: give ", w.allowed)
		}
	}
	if want := namesOf(""); !slices.Equal(tested, want) {
		t.Errorf("tested are\n%q\nof\n%q", tested, want)
	}
}

// In a YAML list, commas and "none" have no special meaning.
func TestKind_NamesWhatIsWrongWithAValue(t *testing.T) {
	for text, words := range map[string]string{
		"tries: many":                           `"many" is not a whole number`,
		"tries: 2.5":                            "is not a whole number",
		"tries: ''":                             `"" is not a whole number`,
		"tries: 0":                              `"0" is not allowed`,
		"tries: " + hugeNumber:                  "is not allowed",
		"tries: -" + hugeNumber:                 "is not allowed",
		"sleep: 2 seconds":                      "is not a duration",
		"sleep: nan":                            "is not a duration",
		"sleep: ''":                             "is not a duration",
		"sleep: -1":                             "is not allowed",
		"sleep: inf":                            "is not allowed",
		"sleep: 1e400":                          "is not allowed",
		"sleep: " + hugeNumber:                  "is not allowed",
		"file.mode: rw":                         "is not an octal mode",
		"file.mode: 0888":                       "is not an octal mode",
		"file.mode: -1":                         "is not an octal mode",
		"file.mode: 0777":                       "is not allowed",
		"file.mode: " + modeWrapsToGood:         "is not allowed",
		"listen: a":                             "or nothing if another program passes the socket",
		"redis.tls: maybe":                      `"maybe" is not a boolean`,
		"publish.rate: 010/s":                   `"010/s" is not a rate such as 10/s, 100/m or 1000/h`,
		"publish.allow: news, a/b":              `"a/b" is not a pattern of ids: no id can match it`,
		"publish.allow: [news, a/b]":            `"a/b" is not a pattern of ids: no id can match it`,
		"publish.allow: 'news, [a'":             `"[a" is not a pattern of ids: a bracket or a backslash does not end`,
		"publish.allow: ['']":                   `"" is not a pattern of ids`,
		"publish.allow: news,,a":                `"news,,a" is not a list: it has an empty element`,
		"subscribe.signed: a, user:<user>:*":    `"user:<user>:*" contains <user>`,
		"origins: https://a.example, b":         `"b" is not the origin of a site`,
		"origins: [none]":                       `"none" is not the origin of a site`,
		"publish.methods: [GET, PUT]":           `"PUT" is not allowed`,
		"memcached.servers: []":                 "the empty list is not allowed",
		"memcached.servers: [a:1, b]":           `"b" is not allowed`,
		"memcached.servers: ['a:1,b:2']":        `"a:1,b:2" is not allowed`,
		"memcached.servers:\n  - 'a:1'\n  - ''": `"" is not allowed`,
		"memcached.servers: [none]":             `"none" is not allowed`,
		"redis.addresses: a:1, unix:/b":         `"unix:/b" is not allowed`,
		"store: " + strings.Repeat("x", 101):    `"` + strings.Repeat("x", 100) + `"… is not allowed`,
	} {
		name, _, _ := strings.Cut(text, ":")
		refuses(t, text, name+": ", words, ": give ")
	}
}

func TestKind_DurationsAreSecondsOrHaveAUnit(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"2": 2 * time.Second, "2.0": 2 * time.Second, "2s": 2 * time.Second, "1e1": 10 * time.Second,
		"0.5": 500 * time.Millisecond, ".5": 500 * time.Millisecond, "500ms": 500 * time.Millisecond,
		"0.57": 570 * time.Millisecond, "1.001": 1001 * time.Millisecond, "0.01": 10 * time.Millisecond,
		"1m": time.Minute, "1m30s": 90 * time.Second, "1h": time.Hour, "3600": time.Hour,
	} {
		plain, quoted := write(t, "sleep: "+text), write(t, `sleep: "`+text+`"`)
		for _, from := range []Source{{File: plain}, {File: quoted}, fromVariable("sleep", text)} {
			if got := load(t, from).Sleep; got != want {
				t.Errorf("%s is %v, want %v", text, got, want)
			}
		}
	}
}

// For YAML, 0664 without quotes is the number 436.
func TestKind_ModesAreOctal(t *testing.T) {
	for _, written := range []string{`"0640"`, "0640", "640", "0o640", "'0640'"} {
		if got := load(t, Source{File: write(t, "file: {mode: "+written+"}")}).File.Mode; got != fs.FileMode(0o640) {
			t.Errorf("mode: %s is %#o", written, got)
		}
	}
}
