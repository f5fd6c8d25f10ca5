package conf

import (
	"fmt"
	"strings"

	"novcomet/core/access"
)

// A key is a row of the table.
type key struct {
	name    string
	initial string // the default, in the form in which a variable has it
	scope   scope
	kind    kind
	help    string // one or two sentences for the manual
}

// A scope says when a change of a key has an effect.
type scope int

const (
	ofStore  scope = iota // at the next start of comet-fcgi; a reload that changes it is refused
	restart               // at the next start of comet-fcgi
	reload                // at the next reload
	location              // at the next reload; and a web server can set the key for one location
)

// keys has every key, in the order of comet.yaml.
var keys = []key{
	{"tries", "20", location, number("", 1, 100_000), `Checks of a poll before "nothing changed".`},
	{"sleep", "2", location, duration("", "10ms", "1h"), "Pause between two checks. A poll waits tries × sleep."},

	{"file.directory", "/dev/shm", ofStore, text("an absolute path such as /dev/shm", isPath), "Directory of the events."},
	{"file.mode", "0664", ofStore, octalMode(), "Mode of new files."},
	{"file.create", "true", ofStore, boolean("true or false"), "Publishing creates the file of a new event."},
	{"file.notify", "true", ofStore, boolean("true or false"), "Watch the directory (inotify)."},

	{"listen", "", restart, text("unix: and an absolute path of at most 107 bytes (unix:/run/novcomet/comet.sock), "+
		"a host and a port from 1 to 65535 (127.0.0.1:9000), or nothing if another program passes the socket",
		func(s string) bool { return s == "" || isAddress(s) }),
		"Where comet-fcgi listens. Empty: another program passes the socket."},

	{"publish.allow", "*", location, patterns("user:<user>:*", access.ParsePatterns), "Ids that may be published by URL."},
	{"publish.methods", "GET, POST", location, list("GET, POST, both, or none", 0, isMethod),
		"Methods that publish. POST includes PUT."},
	{"publish.rate", "none", location, rate(), "Publications of each client address, such as 10/m."},
	{"subscribe.allow", "*", location, patterns("user:<user>:*", access.ParsePatterns), "Ids that may be subscribed to."},
	{"subscribe.signed", "none", location, patterns("private-*", parseSigned), "Ids that also need a token."},
	{"subscribe.secret_file", "", location, textOrNothing("the absolute path of a file with one secret in each line, "+
		"such as openssl rand -hex 32 prints", isPath), "File with the secrets for tokens."},
	{"origins", "none", location, listOf("sites such as https://example.com or https://example.com:8443, "+
		`separated by commas; "*" for all; or none`, access.ParseOrigins), "Other sites whose pages may publish and read."},

	{"store", "files", ofStore, oneOf("files", "memcached", "redis"), "Where events are kept."},
	{"store_timeout", "1", ofStore, duration("", "10ms", "1m"),
		"How long a memcached or Redis server may take to answer."},
	{"store_prefix", "novcomet:", ofStore, textOrNothing("at most 40 bytes without spaces and control characters",
		isPrefix), "Beginning of each key in memcached or Redis."},
	{"memcached.servers", "127.0.0.1:11211", ofStore, list("a host and a port (127.0.0.1:11211), or unix: and an "+
		"absolute path, for each server, at least one", 1, isAddress), "The servers, the same list on each machine."},
	{"memcached.skew", "1", ofStore, duration("", "0", "2s"), "How far the clocks of the machines may differ."},
	{"redis.addresses", "127.0.0.1:6379", ofStore, list("a host and a port (127.0.0.1:6379) for each server, "+
		"at least one", 1, isHostAndPort), "A server, servers of a Cluster, or Sentinels."},
	{"redis.master", "", ofStore, textOrNothing("the name by which the Sentinels know the master", isName),
		"Name of the master for Sentinels."},
	{"redis.username", "", ofStore, textOrNothing("a name", isName), "User, since Redis 6."},
	{"redis.password_file", "", ofStore, textOrNothing("an absolute path such as /etc/novcomet/redis-password", isPath),
		"File with the password."},
	{"redis.tls", "false", ofStore, boolean("true or false"), "Use TLS."},
	{"redis.expire", "0", ofStore, duration("0 for never, or ", "1m", "87600h"),
		"When Redis may forget an event after its last publication."},

	{"data.max_bytes", "65536", reload, number("bytes, ", 1, 16<<20),
		"Data of one event; of one answer 16 times as much."},
	{"stream.comment", "20", location, duration("", "100ms", "10m"), "Pause after which an idle stream gets a comment."},
	{"stream.end", "600", location, duration("", "100ms", "24h"), "Age at which a stream ends."},
	{"stream.formats", "none", location, listOf("raw, turbo, or both separated by a comma, or none", access.ParseFormats),
		"Formats for pages without novcomet.js."},
	{"status", "off", location, boolean("on or off"), "The location answers with metrics."},

	{"socket.mode", "0660", restart, octalMode(), "Mode of the socket file."},
	{"socket.group", "", restart, textOrNothing("a group's name or number", isGroup), "Group of the socket file."},

	{"cgi.max_waiting", "32", reload, number("", 0, 10_000),
		"Waiting comet.cgi processes of one user. 0: no limit."},

	{"log", "info", reload, oneOf("error", "warn", "info", "debug"), "Lowest level that is logged."},
	{"log_format", "text", restart, oneOf("text", "json"), "Format of log lines."},
	{"max_request", "65536", reload, number("bytes, ", 4096, 16<<20),
		"Bytes of a request's variables, and of its form body."},
	{"max_waiting", "0", reload, number("", 0, 1_000_000),
		"Waiting polls and streams. 0: as many as the limit of open files allows, which is also the maximum."},
	{"max_events", "100000", reload, number("", 0, 10_000_000), "Different events that clients wait for. 0: no limit."},
	{"max_serving", "32", restart, number("", 1, 10_000), "Publications and other requests in progress."},
	{"max_buffered", "67108864", restart, number("bytes, ", 1<<20, 1<<30),
		"Bytes of requests that are incomplete or queue; as many of answers that are not read."},
	{"request_timeout", "10", reload, duration("", "100ms", "10m"),
		"How long the web server may take to send a request or to accept more of an answer."},
}

// parseSigned parses the patterns. The secrets are read later.
func parseSigned(globs []string) (access.Signed, error) { return access.NewSigned(globs, nil) }

const variablePrefix = "COMET_"

// variableOf returns the environment variable of a key.
func variableOf(name string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(name, ".", "_"))
}

// Each key, by its name and by its environment variable.
var byName, byVariable = map[string]key{}, map[string]key{}

func init() {
	for _, k := range keys {
		byName[k.name], byVariable[variableOf(k.name)] = k, k
	}
}

// namesOf returns the names of the keys in a group, without the group's name. The group "" has all keys.
func namesOf(group string) (names []string) {
	for _, k := range keys {
		if name, ok := strings.CutPrefix(k.name, group); ok {
			names = append(names, name)
		}
	}
	return names
}

// variablesFor returns the variables of the keys that have at least this scope.
func variablesFor(least scope) (names []string) {
	for _, k := range keys {
		if k.scope >= least {
			names = append(names, variableOf(k.name))
		}
	}
	return names
}

// Allowed returns what a key may be set to, in the words of the error messages.
func Allowed(name string) string { return byName[name].kind.allowed }

// removedKeys has the keys of earlier versions, and what to use instead.
var removedKeys = map[string]struct{ successor, note string }{
	"max_streams":       {"max_waiting", "it limits polls and streams together"},
	"data.max_answer":   {"data.max_bytes", "an answer carries up to 16 times as much"},
	"memcached.timeout": {"store_timeout", "it is for memcached and Redis"},
	"redis.timeout":     {"store_timeout", "it is for memcached and Redis"},
	"memcached.prefix":  {"store_prefix", "it is for memcached and Redis"},
	"redis.prefix":      {"store_prefix", "it is for memcached and Redis"},
	"subscribe.secret":  {"subscribe.secret_file", "the path of a file with one secret in each line"},
	"redis.password":    {"redis.password_file", "the path of a file with the password"},
	"redis.db":          {"store_prefix", "a prefix of its own for each site that shares the server"},
}

// suggest completes a message about an unknown word: it quotes the word, and names its successor or the known
// word that was probably meant.
func suggest(word string, known []string) string {
	for name, removed := range removedKeys {
		if strings.EqualFold(word, name) || word == variableOf(name) {
			return fmt.Sprintf("%s: it was removed: use %s, %s", quote(word), removed.successor, removed.note)
		}
	}
	lower := strings.ToLower(word)
	for edits := range 3 { // A word with two wrong letters can still be guessed, and so can one without its group.
		for _, k := range known {
			if isNear(lower, strings.ToLower(k), edits) || edits == 2 && strings.HasSuffix(k, "."+lower) {
				return fmt.Sprintf("%s: did you mean %s?", quote(word), k)
			}
		}
	}
	return quote(word) + ": conf/comet.yaml lists all keys"
}

// isNear reports whether at most that many letters changed, added or removed make b of a.
func isNear(a, b string, edits int) bool {
	switch {
	case edits < 0:
		return false
	case a == "" || b == "":
		return len(a)+len(b) <= edits
	case a[0] == b[0]:
		return isNear(a[1:], b[1:], edits)
	}
	return isNear(a[1:], b, edits-1) || isNear(a, b[1:], edits-1) || isNear(a[1:], b[1:], edits-1)
}
