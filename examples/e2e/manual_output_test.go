package e2e_test

import (
	"maps"
	"regexp"
	"strings"
	"testing"
)

var number = regexp.MustCompile(`[0-9]{4,}(?:\.[0-9]+)?|…`)

// stamps has the real stamp for each stamp that a page shows.
type stamps map[string]string

// replace returns a command with the real stamps.
func (s stamps) replace(command string) string {
	return number.ReplaceAllStringFunc(command, func(shown string) string {
		if real, known := s[shown]; known {
			return real
		}
		return shown
	})
}

// match reports whether the real output matches the output that a page shows, and adds new stamps. In the
// page, a number with four to nine digits stands for any number. A number with ten or more digits is a stamp,
// and always stands for the same number. "…" stands for any text. If whole is false, more output may follow.
func (s stamps) match(shown []string, real string, whole bool) bool {
	var pattern strings.Builder
	var names []string // the new stamps, in the order of the groups
	text := strings.Join(shown, "\n")
	at := 0
	for _, found := range number.FindAllStringIndex(text, -1) {
		pattern.WriteString(regexp.QuoteMeta(text[at:found[0]]))
		token := text[found[0]:found[1]]
		known, isKnown := s[token]
		digits, _, _ := strings.Cut(token, ".")
		switch {
		case token == "…":
			pattern.WriteString(`[\s\S]*?`)
		case isKnown:
			pattern.WriteString(regexp.QuoteMeta(known))
		case len(digits) < 10:
			pattern.WriteString(`[0-9]+(?:\.[0-9]+)?`)
		default:
			pattern.WriteString(`([0-9]+(?:\.[0-9]+)?)`)
			names = append(names, token)
		}
		at = found[1]
	}
	pattern.WriteString(regexp.QuoteMeta(text[at:]))
	expression := `^\s*` + regexp.MustCompile(`\n *`).ReplaceAllString(pattern.String(), `\s*`) + `\s*`
	if whole {
		expression += `$`
	}
	groups := regexp.MustCompile(expression).FindStringSubmatch(strings.ReplaceAll(real, "\r", ""))
	if groups == nil {
		return false
	}
	found := stamps{}
	for i, name := range names {
		if before, again := found[name]; again && before != groups[i+1] {
			return false
		}
		found[name] = groups[i+1]
	}
	maps.Copy(s, found)
	return true
}

func TestStamps_Match(t *testing.T) {
	for name, c := range map[string]struct {
		shown, real string
		want        bool
	}{
		"equal":                        {`{"s":1}`, "{\"s\":1}\n", true},
		"another digit":                {`{"s":1}`, "{\"s\":0}\n", false},
		"another stamp":                {`{"k":{"a":1763800000.5}}`, `{"k":{"a":1799999999.123456}}`, true},
		"no stamp":                     {`{"k":{"a":1763800000.5}}`, `{"k":{"a":null}}`, false},
		"never published":              {`{"a":"0.000000"}`, `{"a":"1799999999.000000"}`, false},
		"one stamp twice":              {`["1763800000","1763800000"]`, `["1799999999","1799999999"]`, true},
		"one shown stamp for two":      {`["1763800000","1763800000"]`, `["1799999999","1799999998"]`, false},
		"any text":                     {`{"a":1,…}`, `{"a":1,"b":[2]}`, true},
		"empty lines and line breaks":  {"retry: 1712\n: NovComet\n  x", "retry: 2250\n\n: NovComet\n\nx\r\n", true},
		"more than the page shows":     {`{"s":1}`, `{"s":1,"k":{}}`, false},
		"characters of expressions":    {`{"a":"(.*)"}`, `{"a":"x"}`, false},
		"a stamp of an earlier output": {`{"k":{"a":1763811111}}`, `{"k":{"a":1799999999}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := stamps{"1763811111": "1788888888"}
			if got := s.match(strings.Split(c.shown, "\n"), c.real, true); got != c.want {
				t.Errorf("match(%q, %q) = %v, want %v", c.shown, c.real, got, c.want)
			}
		})
	}
}
