package access

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"novcomet/core/event"
)

// userWord stands for the authenticated user in a pattern. nginx, Apache and Caddy expand ${…} themselves,
// but not this.
const userWord = "<user>"

// Patterns select ids. Only [ParsePatterns] makes them. The zero Patterns select every id.
type Patterns struct {
	given   bool
	globs   []string   // as given
	common  Matcher    // the patterns without <user>
	forUser [][]string // the patterns with <user>, split there
}

// ParsePatterns makes Patterns of globs. An empty list selects no id. A glob matches a whole id, and bytes
// count: "a" and "A" differ.
//
//	?        one character
//	*        any characters, also none
//	[a-z]    one of these characters; [^a-z]: none of these
//	\*       the character itself
//	<user>   the name of the authenticated user
//
// No character of the name is special. Without an authenticated user, a pattern with <user> matches nothing.
//
// If names of users can contain what follows <user> in a pattern, one user's pattern matches ids of another:
// with "<user>-*", ann's pattern matches the ids of ann-b. So follow it with what no name contains, such as
// ":".
func ParsePatterns(globs []string) (Patterns, error) {
	p := Patterns{given: true, globs: slices.Clone(globs)}
	for _, glob := range globs {
		parts := strings.Split(glob, userWord)
		for _, part := range parts {
			if _, err := path.Match(part, ""); err != nil {
				return Patterns{}, fmt.Errorf("%.60q is not a pattern of ids: a bracket or a backslash does not end", glob)
			}
		}
		switch {
		case glob == "", strings.Contains(glob, "/"),
			!utf8.ValidString(glob), strings.ContainsFunc(glob, unicode.IsControl):
			return Patterns{}, fmt.Errorf("%.60q is not a pattern of ids: no id can match it", glob)
		case len(parts) > 1:
			p.forUser = append(p.forUser, parts)
		default:
			p.common = append(p.common, glob)
		}
	}
	return p, nil
}

// String returns the patterns in the form that [ParseList] reads.
func (p Patterns) String() string {
	if !p.given {
		return "*"
	}
	return formatList(p.globs)
}

// For returns the patterns for a user; "" is a client that is not authenticated.
func (p Patterns) For(user string) Matcher {
	switch {
	case !p.given:
		return Matcher{"*"}
	case len(p.forUser) == 0, user == "", !utf8.ValidString(user): // A part of a character must not match the whole one.
		return p.common
	}
	m := slices.Clip(p.common)
	for _, parts := range p.forUser {
		m = append(m, strings.Join(parts, escaper.Replace(user)))
	}
	return m
}

// ForAnyUser returns a matcher of each id that the patterns match for some user.
func (p Patterns) ForAnyUser() Matcher {
	m := slices.Clip(p.For(""))
	for _, parts := range p.forUser {
		m = append(m, strings.Join(parts, "*"))
	}
	return m
}

// escaper makes a glob that matches exactly one text.
var escaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// Matcher is [Patterns] for one user: globs.
type Matcher []string

// Match reports whether one of the patterns matches the id.
func (m Matcher) Match(id event.ID) bool {
	return slices.ContainsFunc(m, func(glob string) bool {
		matched, err := path.Match(glob, id.String())
		return matched && err == nil
	})
}
