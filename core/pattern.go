package core

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrPattern is what every error of [ParsePatterns] wraps.
var ErrPattern = errors.New("is not a pattern of ids")

// userWord stands for the authenticated user in a pattern. It is none of the ${…} that nginx, Apache and Caddy expand themselves.
const userWord = "<user>"

// Patterns say which ids are meant. They can only be made by [ParsePatterns]; the zero Patterns mean every id.
type Patterns struct {
	given  bool
	globs  []string
	always matcher    // what they mean whoever asks
	ofUser [][]string // those with <user>, cut there
}

// ParsePatterns makes Patterns of globs; none at all mean no id. An id matches as a whole, and bytes count: "a" and "A" differ.
//
//   - any characters, also none
//     ?        one character
//     [a-z]    one of these characters; [^a-z]: none of these
//     \*       the character itself
//     <user>   the name of the authenticated user, to the letter: no character of it is a glob. Where nobody is authenticated,
//     such a pattern matches nothing
//
// Where names of users may contain what follows <user> in a pattern, one user's pattern matches ids of another: with
// "<user>-*", what is meant for "ann-b" is also Ann's. So put behind it what no name contains, such as ":".
func ParsePatterns(globs []string) (Patterns, error) {
	p := Patterns{given: true, globs: slices.Clone(globs)}
	for _, glob := range globs {
		parts := strings.Split(glob, userWord)
		for _, part := range parts {
			if _, err := path.Match(part, ""); err != nil {
				return Patterns{}, fmt.Errorf("%.60q %w: a bracket or a backslash does not end", glob, ErrPattern)
			}
		}
		switch {
		case glob == "", strings.Contains(glob, "/"), !utf8.ValidString(glob), strings.ContainsFunc(glob, unicode.IsControl):
			return Patterns{}, fmt.Errorf("%.60q %w: no id can match it", glob, ErrPattern)
		case len(parts) > 1:
			p.ofUser = append(p.ofUser, parts)
		case glob == "*":
			p.always.all = true
		default:
			p.always.globs = append(p.always.globs, glob)
		}
	}
	return p, nil
}

// UnmarshalText parses a list of patterns, in the form that [ParseList] describes.
func (p *Patterns) UnmarshalText(text []byte) (err error) {
	*p, err = parseListOf(text, ParsePatterns)
	return err
}

// String returns the patterns in the form that UnmarshalText parses.
func (p Patterns) String() string {
	if !p.given {
		return "*"
	}
	return formatList(p.globs)
}

// of returns what the patterns mean for the user; "": for nobody.
func (p Patterns) of(user string) matcher {
	switch {
	case !p.given:
		return matcher{all: true}
	case len(p.ofUser) == 0, user == "", !utf8.ValidString(user): // Half a character at the end of a name must not match the whole.
		return p.always
	}
	m := matcher{p.always.all, slices.Clip(p.always.globs)}
	for _, parts := range p.ofUser {
		m.globs = append(m.globs, strings.Join(parts, literally.Replace(user)))
	}
	return m
}

// literally makes the glob of a text that matches nothing but the text.
var literally = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// matcher are the patterns for one user.
type matcher struct {
	all   bool // every id
	globs []string
}

func (m matcher) matches(id ID) bool {
	if m.all {
		return true
	}
	for _, glob := range m.globs {
		if matched, err := path.Match(glob, id.name); matched && err == nil {
			return true
		}
	}
	return false
}
