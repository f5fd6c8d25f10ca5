package conf

import (
	"bytes"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/pkg/errors"
	"go.yaml.in/yaml/v3"
)

// parse reads the text of a configuration file into values by key. A group may be written as
// `file:` with indented lines or as `file.directory:`. Every scalar stays the text it was written
// as, so that it means the same in a file, a variable and a flag.
//
// A text that sets no key, and a key or group without a value, is an error: such is what is left of a file that was cut.
//
// Where viper would choose silently, parse returns an error: for a key that is set twice (also as Tries and tries), a
// second document, an alias.
func parse(text []byte) (map[string]any, error) {
	if err := legible(text); err != nil {
		return nil, err
	}
	documents := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := documents.Decode(&document); err == io.EOF {
		return nil, errNoKey
	} else if err != nil {
		return nil, syntax(text, err)
	}
	if err := documents.Decode(new(yaml.Node)); err == nil {
		return nil, errors.New("has a second document after a line ---: write all keys into one document")
	} else if err != io.EOF {
		return nil, syntax(text, err)
	}

	r := reading{values: map[string]any{}, lines: map[string]int{}}
	root := document.Content[0]
	if isNull(root) || root.Kind == yaml.MappingNode && len(root.Content) == 0 {
		return nil, errNoKey
	}
	if root.Kind != yaml.MappingNode {
		return nil, errors.Errorf("line %d: write keys and values here, such as tries: 20", root.Line)
	}
	return r.values, r.group("", root)
}

var errNoKey = errors.Errorf("sets no key, so it may have been emptied or cut: write at least one, such as publish.allow: none, "+
	"or name %s to run without a file", os.DevNull)

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// A reading collects the values of a file, and the line of each.
type reading struct {
	values map[string]any
	lines  map[string]int
}

func (r reading) group(above string, group *yaml.Node) error {
	if err := plain(group); err != nil {
		return err
	}
	for i := 0; i < len(group.Content); i += 2 {
		name, value := group.Content[i], group.Content[i+1]
		if err := plain(name); err != nil {
			return err
		}
		if name.Kind != yaml.ScalarNode {
			return errors.Errorf("line %d: a key must be a word", name.Line)
		}
		if err := r.key(above+strings.ToLower(name.Value), name.Line, value); err != nil {
			return err
		}
	}
	return nil
}

func (r reading) key(key string, line int, value *yaml.Node) error {
	if err := plain(value); err != nil {
		return err
	}
	if first, ok := r.lines[key]; ok {
		return errors.Errorf("line %d: %s is already set in line %d: keep one of the two", line, quote(key), first)
	}
	r.lines[key] = line

	if members := below(key); len(members) > 0 {
		if isNull(value) || value.Kind == yaml.MappingNode && len(value.Content) == 0 {
			return errors.Errorf("line %d: %s has no keys below it, so the file may have been cut: write at least one of them, indented: %s; "+
				"or remove the line", line, key, strings.Join(members, ", "))
		}
		if value.Kind != yaml.MappingNode {
			return errors.Errorf("line %d: %s is a group and has no value: write its keys below it, indented: %s",
				line, key, strings.Join(members, ", "))
		}
		return r.group(key+".", value)
	}

	s, ok := keyed(key)
	switch {
	case !ok:
		return errors.Errorf("line %d: unknown key %s", line, unknown(key, keys()))
	case isNull(value):
		return errors.Errorf("line %d: %s has no value, so the file may have been cut: give %s; or remove the line",
			line, key, strings.Replace(s.allowed, "or nothing", `or "" for nothing`, 1))
	case value.Kind == yaml.ScalarNode:
		r.values[key] = value.Value
	case value.Kind == yaml.SequenceNode:
		list := []any{}
		for _, element := range value.Content {
			if err := plain(element); err != nil {
				return err
			}
			if element.Kind != yaml.ScalarNode || element.Tag == "!!null" {
				return errors.Errorf("line %d: %s: an element of a list must be a value, not a list, keys or nothing", element.Line, key)
			}
			list = append(list, element.Value)
		}
		r.values[key] = list
	default:
		return errors.Errorf("line %d: %s: keys below it are not allowed: give %s", line, key, s.allowed)
	}
	return nil
}

// plain refuses YAML features by which a value means something else than what is written.
func plain(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return errors.Errorf("line %d: anchors (&), aliases (*) and tags (!) are not allowed: write the value itself", n.Line)
	}
	return nil
}

// legible finds bytes that the YAML library refuses without naming the line.
func legible(text []byte) error {
	line := 1
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return errors.Errorf("line %d: this is not UTF-8 text", line)
		case r == '\n':
			line++
		case r < ' ' && r != '\t' && r != '\r', 0x7f <= r && r <= 0x9f && r != 0x85, r == 0xfffe, r == 0xffff:
			return errors.Errorf("line %d: the character %U is not allowed", line, r)
		}
		i += size
	}
	return nil
}
