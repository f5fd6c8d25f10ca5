package conf

import (
	"fmt"
	"strconv"
	"strings"
)

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

// quote shows a value in one line and in at most about 100 characters.
func quote(value string) string {
	const most = 100
	if len(value) > most {
		return strconv.Quote(value[:most]) + "…"
	}
	return strconv.Quote(value)
}

// format shows a text or a list of texts in one line, as YAML has it.
func format(value any) string {
	list, ok := value.([]string)
	if !ok {
		return quote(value.(string))
	}
	quoted := make([]string, len(list))
	for i, text := range list {
		quoted[i] = quote(text)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
