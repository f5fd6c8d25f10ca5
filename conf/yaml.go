package conf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	pkgerrors "github.com/pkg/errors"
	"go.yaml.in/yaml/v3"
)

// readYAML reads the keys of a settings file. Every scalar stays the text that is written, so that it means
// the same in a file, a variable and a flag. (viper's own decoder reads 0664 as 436. It also has decoders for
// other formats, which cost each start of comet.cgi 2 ms of CPU time.) A group may be written as `file:` with
// indented lines or as `file.directory:`.
//
// An error names the line. What YAML hides is an error: a key that is set twice (also as Tries and tries), a
// second document, an alias. So is a text that sets no key, and a key or group without a value, because the
// file may have been cut.
func readYAML(text []byte) (map[string]any, error) {
	r := yamlReader{values: map[string]any{}, lines: map[string]int{}}
	return r.values, r.read(string(text))
}

type yamlReader struct {
	values map[string]any // by key: a string or a []string
	lines  map[string]int // by key or group: where it was set first
	mended bool           // explainSyntax has replaced each * by asterisk
}

const asterisk = "∗" // U+2217

func (r yamlReader) read(text string) error {
	if err := checkCharacters(text); err != nil {
		return err
	}
	documents := yaml.NewDecoder(strings.NewReader(text))
	var document yaml.Node
	err := documents.Decode(&document)
	if err == nil {
		err = documents.Decode(new(yaml.Node))
	}
	if err == nil {
		return errors.New("has a second document after a line ---: write all keys into one document")
	}
	if err != io.EOF {
		return r.explainSyntax(text, err)
	}
	if len(document.Content) == 0 || isEmpty(document.Content[0]) {
		return errors.New("sets no key, so it may have been emptied or cut: write at least one, such as " +
			"publish.allow: none, or name " + os.DevNull + " to run without a file")
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: write keys and values here, such as tries: 20", root.Line)
	}
	if err := r.checkPlain("", root); err != nil {
		return err
	}
	return r.readGroup("", root)
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func isEmpty(n *yaml.Node) bool {
	return isNull(n) || n.Kind == yaml.MappingNode && len(n.Content) == 0
}

func (r yamlReader) readGroup(prefix string, group *yaml.Node) error {
	for i := 0; i < len(group.Content); i += 2 {
		name, value := group.Content[i], group.Content[i+1]
		if err := r.checkPlain("", name); err != nil {
			return err
		}
		if name.Kind != yaml.ScalarNode {
			return fmt.Errorf("line %d: a key must be a word", name.Line)
		}
		if err := r.readKey(prefix+strings.ToLower(name.Value), name.Line, value); err != nil {
			return err
		}
	}
	return nil
}

func (r yamlReader) readKey(name string, line int, value *yaml.Node) error {
	if err := r.checkPlain(name+": ", value); err != nil {
		return err
	}
	if first, ok := r.lines[name]; ok {
		return fmt.Errorf("line %d: %s is already set in line %d: keep one of the two", line, quote(name), first)
	}
	r.lines[name] = line

	k, isKey := byName[name]
	members := strings.Join(namesOf(name+"."), ", ")
	switch {
	case members != "" && isEmpty(value):
		return fmt.Errorf("line %d: %s has no keys below it, so the file may have been cut: "+
			"write at least one of them, indented: %s; or remove the line", line, name, members)
	case members != "" && value.Kind == yaml.MappingNode:
		return r.readGroup(name+".", value)
	case members != "":
		return fmt.Errorf("line %d: %s is a group and has no value: write its keys below it, indented: %s",
			line, name, members)
	case !isKey:
		return fmt.Errorf("line %d: unknown key %s", line, suggest(name, namesOf("")))
	case isNull(value):
		return fmt.Errorf("line %d: %s has no value, so the file may have been cut: give %s; or remove the line",
			line, name, strings.Replace(k.kind.allowed, "or nothing", `or "" for nothing`, 1))
	case value.Kind == yaml.MappingNode:
		return fmt.Errorf("line %d: %s: keys below it are not allowed: give %s", line, name, k.kind.allowed)
	case value.Kind == yaml.ScalarNode:
		r.values[name] = value.Value
		return nil
	}
	list := []string{}
	for _, element := range value.Content {
		if err := r.checkPlain(name+": ", element); err != nil {
			return err
		}
		if element.Kind != yaml.ScalarNode || isNull(element) {
			return fmt.Errorf("line %d: %s: an element of a list must be a value, not a list, keys or nothing",
				element.Line, name)
		}
		list = append(list, element.Value)
	}
	r.values[name] = list
	return nil
}

// checkPlain refuses the features of YAML by which a value is not what is written. An alias comes after its
// anchor.
func (r yamlReader) checkPlain(key string, n *yaml.Node) error {
	if n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return fmt.Errorf("line %d: anchors (&), aliases (*) and tags (!) are not allowed: write the value itself", n.Line)
	}
	if r.mended && n.Style == 0 && strings.HasPrefix(n.Value, asterisk) {
		return fmt.Errorf("line %d: %sa value that begins with * must be in quotes, such as \"*\"", n.Line, key)
	}
	return nil
}

// explainSyntax completes an error of the YAML library. For the two most frequent mistakes, a tab and an
// asterisk without quotes, it names the line and the remedy. It never quotes the text: a value that begins
// with * may be a password.
func (r yamlReader) explainSyntax(text string, err error) error {
	contains := func(words string) bool { return strings.Contains(err.Error(), words) }
	switch {
	case contains("tab character"), contains("cannot start any token"):
		for i, line := range strings.Split(text, "\n") {
			content := strings.TrimLeft(line, " \t\r")
			indent := strings.TrimSuffix(line, content)
			if strings.Contains(indent, "\t") && !strings.HasPrefix(content, "#") {
				return fmt.Errorf("line %d: the line begins with a tab, which YAML does not allow: use spaces", i+1)
			}
		}
	case !r.mended && (contains("unknown anchor") || contains("alphabetic or numeric character")):
		r.mended = true
		if mistake := r.read(strings.ReplaceAll(text, "*", asterisk)); mistake != nil {
			return mistake
		}
	}
	if contains("yaml: line ") {
		return pkgerrors.WithStack(err)
	}
	return pkgerrors.Wrap(err, "line 1") // The library leaves it out.
}

// checkCharacters finds the bytes that the YAML library refuses without naming the line.
func checkCharacters(text string) error {
	for i, line := range strings.Split(text, "\n") {
		if !utf8.ValidString(line) {
			return fmt.Errorf("line %d: this is not UTF-8 text", i+1)
		}
		for _, r := range line {
			if r < ' ' && r != '\t' && r != '\r' || 0x7f <= r && r <= 0x9f && r != 0x85 || r == 0xfffe || r == 0xffff {
				return fmt.Errorf("line %d: the character %U is not allowed", i+1, r)
			}
		}
	}
	return nil
}
