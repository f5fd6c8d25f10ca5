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

// below is the keys of a group, without its name: directory and mode for file.
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

// unknown is what a message says of a word that none of the known ones is: the word and the one
// that was probably meant.
func unknown(word string, known []string) string {
	best, least := "", 3 // two letters wrong can still be guessed
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
		return fmt.Sprintf("%s: the shipped %s lists all there are", quote(word), fileName)
	}
	return fmt.Sprintf("%s: did you mean %s?", quote(word), best)
}

// distance is how many letters must be changed, added or left out to make b of a (Levenshtein).
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
