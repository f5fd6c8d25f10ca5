package conf

import (
	"regexp"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

var (
	tab      = regexp.MustCompile(`^ *\t\s*([\w.]+ *:|[^\s#]|$)`)
	asterisk = regexp.MustCompile(`^\s*(- +)*([\w.]+ *:\s+)?\*|[\[{]([^\]}]*[,:]\s*)?\s*\*`)
	aKey     = regexp.MustCompile(`([\w.]+) *:(\s|$)`)
	comment  = regexp.MustCompile(`(^|\s)#.*`)
	quotes   = regexp.MustCompile(`"(\\.|[^"\\])*"|'[^']*'`)
)

// syntax says what is wrong with a text that the YAML library refuses. For the two mistakes that are made most it names the line,
// the key and the remedy. It never quotes the text: a value that begins with an asterisk may be a password.
func syntax(text []byte, err error) error {
	says := func(words string) bool { return strings.Contains(err.Error(), words) }
	switch {
	case says("tab character"), says("cannot start any token"):
		if line, key := where(text, tab); line > 0 {
			return errors.Errorf("line %d: %sthe line begins with a tab, which YAML does not allow: use spaces", line, key)
		}
	case says("unknown anchor"), says("alphabetic or numeric character"):
		line, key := where(text, asterisk)
		return errors.Errorf("line %d: %sa value that begins with * must be in quotes, such as \"*\"", max(line, 1), key)
	}
	if says("yaml: line ") {
		return errors.WithStack(err)
	}
	return errors.Wrap(err, "line 1") // The library leaves it out.
}

// where returns the first line that matches, and its key with a colon, if that is known.
func where(text []byte, mistake *regexp.Regexp) (line int, key string) {
	var words []string
	for content := range strings.Lines(string(text)) {
		line++
		if mistake != tab { // which no quotes and no comment hide
			content = quotes.ReplaceAllString(comment.ReplaceAllString(content, ""), `""`)
		}
		at := mistake.FindStringIndex(content)
		if at != nil {
			content = content[:at[1]]
		}
		for _, word := range aKey.FindAllStringSubmatch(content, -1) {
			words = append(words, strings.ToLower(word[1]))
		}
		if at != nil {
			return line, keyOf(words)
		}
	}
	return 0, ""
}

// keyOf returns the key that the last word is, in the nearest group before it or alone, with a colon; "" if there is none.
func keyOf(words []string) string {
	if len(words) == 0 {
		return ""
	}
	last := words[len(words)-1]
	for _, group := range slices.Backward(words) {
		if _, ok := keyed(group + "." + last); ok {
			return group + "." + last + ": "
		}
	}
	if _, ok := keyed(last); ok {
		return last + ": "
	}
	return ""
}
