package conf

import (
	"fmt"
	"strings"
)

// nameOf is the environment variable of a key.
func nameOf(key string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// named finds the setting of an environment variable.
func named(name string) (setting, bool) {
	for _, s := range settings {
		if nameOf(s.key) == name {
			return s, true
		}
	}
	return setting{}, false
}

// keyed finds the setting of a key.
func keyed(key string) (setting, bool) {
	for _, s := range settings {
		if s.key == key {
			return s, true
		}
	}
	return setting{}, false
}

// below returns the keys of a group without the group's name: directory and mode for file.
func below(group string) []string {
	var keys []string
	for _, s := range settings {
		if key, ok := strings.CutPrefix(s.key, group+"."); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

func keys() (all []string) {
	for _, s := range settings {
		all = append(all, s.key)
	}
	return all
}

func names() (all []string) {
	for _, s := range settings {
		all = append(all, nameOf(s.key))
	}
	return all
}

// A replacement is the key to use in place of a removed one, and what to know about it.
type replacement struct{ key, note string }

// removed has the keys of earlier versions that are not settings any more.
var removed = map[string]replacement{
	"max_streams":       {"max_waiting", "it limits polls and streams together"},
	"data.max_answer":   {"data.max_bytes", "an answer carries up to 16 times as much"},
	"memcached.timeout": {"store_timeout", "it holds for memcached and Redis"},
	"redis.timeout":     {"store_timeout", "it holds for memcached and Redis"},
	"memcached.prefix":  {"store_prefix", "it holds for memcached and Redis"},
	"redis.prefix":      {"store_prefix", "it holds for memcached and Redis"},
	"subscribe.secret":  {"subscribe.secret_file", "the path of a file with one secret in each line"},
	"redis.password":    {"redis.password_file", "the path of a file with the password"},
	"redis.db":          {"store_prefix", "a prefix of its own for each site that shares the server"},
}

// unknown completes a message about a word that is not known: it quotes the word, and says what replaces it or which
// known word was probably meant.
func unknown(word string, known []string) string {
	for key, r := range removed {
		if strings.EqualFold(word, key) || word == nameOf(key) {
			return fmt.Sprintf("%s: it was removed: use %s, %s", quote(word), r.key, r.note)
		}
	}
	best, least := "", 3 // a word with two wrong letters can still be guessed
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	for _, k := range known { // `directory` without the group it belongs to
		if best == "" && (strings.HasSuffix(k, "."+strings.ToLower(word))) {
			best = k
		}
	}
	if best == "" {
		return fmt.Sprintf("%s: the shipped %s lists all keys", quote(word), fileName)
	}
	return fmt.Sprintf("%s: did you mean %s?", quote(word), best)
}

// distance is the number of letters to change, add or remove to turn a into b (Levenshtein).
func distance(a, b string) int {
	if max(len(a), len(b)) > 64 {
		return 64 // no key is that long
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
