package conf

import (
	"strings"

	"github.com/pkg/errors"
)

// A list is what must hold for each element of a list, besides the key's setting. No element may be empty.
type list struct {
	of func(Config) []string
	ok func(element string) bool
}

// lists has every key whose value is a list.
var lists = map[string]list{
	"subscribe.allow":   {func(c Config) []string { return c.Subscribe.Allow }, isPattern},
	"subscribe.signed":  {func(c Config) []string { return c.Subscribe.Signed }, isSigned},
	"publish.allow":     {func(c Config) []string { return c.Publish.Allow }, isPattern},
	"publish.methods":   {func(c Config) []string { return c.Publish.Methods }, isMethod},
	"origins":           {func(c Config) []string { return c.Origins }, isOrigin},
	"memcached.servers": {func(c Config) []string { return c.Memcached.Servers }, isAddress},
	"redis.addresses":   {func(c Config) []string { return c.Redis.Addresses }, isHostAndPort},
}

// elements reads a list that is written as text: elements separated by commas, or "none" for the empty list. Empty text is
// not a list: an empty variable is not set, so it must not look like a way to empty a list. A file may also have a YAML
// list, in which "none" and commas have no special meaning.
func elements(text string) ([]string, error) {
	const empty = "none"
	if strings.TrimSpace(text) == empty {
		return []string{}, nil
	}
	all := strings.Split(text, ",")
	for i := range all {
		if all[i] = strings.TrimSpace(all[i]); all[i] == "" {
			return nil, errors.New("is not a list: it has an empty element")
		}
	}
	return all, nil
}

// wrong returns the first element that is not allowed. The zero list, that of any other key, has none.
func (l list) wrong(c Config) (element string, found bool) {
	if l.of == nil {
		return "", false
	}
	for _, e := range l.of(c) {
		if e == "" || !l.ok(e) {
			return e, true
		}
	}
	return "", false
}

// written is a value as a message shows it: a list as YAML writes it.
func written(value any) string {
	all, ok := value.([]any)
	if !ok {
		text, _ := value.(string)
		return quote(text)
	}
	shown := make([]string, len(all))
	for i, e := range all {
		text, _ := e.(string)
		shown[i] = quote(text)
	}
	return "[" + strings.Join(shown, ", ") + "]"
}
