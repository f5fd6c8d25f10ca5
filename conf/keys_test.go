package conf

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"novcomet/core/access"
	"novcomet/core/cgienv"
)

func cometYAML(t testing.TB) []byte { return readText(t, "comet.yaml") }

func readText(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The table of keys, the fields of Config, comet.yaml and the manual say the same.

func TestKeys_EachHasAFieldAndAVariableOfItsOwn(t *testing.T) {
	var fields []string
	var collect func(prefix string, group reflect.Type)
	collect = func(prefix string, group reflect.Type) {
		for i := range group.NumField() {
			name, field := prefix+group.Field(i).Tag.Get("mapstructure"), group.Field(i).Type
			if field.Kind() == reflect.Struct && field.PkgPath() == group.PkgPath() {
				collect(name+".", field)
				continue
			}
			fields = append(fields, name)
		}
	}
	collect("", reflect.TypeFor[Config]())
	if names := namesOf(""); !slices.Equal(names, fields) {
		t.Errorf("the keys are\n%q\nthe fields are\n%q", names, fields)
	}
	variables := map[string]bool{fileVariable: true, cgienv.UserVariable: true}
	for _, k := range keys {
		if variables[variableOf(k.name)] {
			t.Errorf("%s has the variable of another key", k.name)
		}
		variables[variableOf(k.name)] = true
	}
}

func TestKeys_CometYAMLHasEachWithItsDefaultRangeAndScope(t *testing.T) {
	if got, want := load(t, Source{File: write(t, string(cometYAML(t)))}), defaults(t); !reflect.DeepEqual(got, want) {
		t.Errorf("with comet.yaml %+v\nwithout    %+v", got, want)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(cometYAML(t), &document); err != nil {
		t.Fatal(err)
	}
	var names []string
	var walk func(prefix string, group *yaml.Node)
	walk = func(prefix string, group *yaml.Node) {
		for i := 0; i < len(group.Content); i += 2 {
			name, value, comment := prefix+group.Content[i].Value, group.Content[i+1], group.Content[i].HeadComment
			comment = strings.Join(strings.Fields(strings.ReplaceAll(comment, "#", "")), " ")
			if len(comment) < 40 {
				t.Errorf("%s: its comment is %q", name, comment)
			}
			if value.Kind == yaml.MappingNode {
				walk(name+".", value)
				continue
			}
			names = append(names, name)
			k := byName[name]
			if initial := strings.Join(scalars(value), ", "); initial != k.initial {
				t.Errorf("%s: the default is %q, in the table %q", name, initial, k.initial)
			}
			if between := rangeOf(k); !strings.Contains(comment, between) {
				t.Errorf("%s: its comment lacks the range %s: %s", name, between, comment)
			}
			if marked := strings.HasSuffix(comment, "[location]"); marked != (k.scope == location) {
				t.Errorf("%s: marked [location]: %v", name, marked)
			}
		}
	}
	walk("", document.Content[0])
	if want := namesOf(""); !slices.Equal(names, want) {
		t.Errorf("comet.yaml has\n%q\nthe table has\n%q", names, want)
	}
}

// rangeOf returns the ends of the key's range, such as "1 to 100000"; "" if it has none.
func rangeOf(k key) string {
	found := regexp.MustCompile(`(?:^|from )(\S+ to [^ ,]+)(?:,|$| per )`).FindStringSubmatch(k.kind.allowed)
	if found == nil {
		return ""
	}
	return found[1]
}

func scalars(value *yaml.Node) []string {
	if value.Kind == yaml.ScalarNode {
		return []string{value.Value}
	}
	var all []string
	for _, element := range value.Content {
		all = append(all, element.Value)
	}
	return all
}

func TestKeys_ManualHasEachWithItsDefaultRangeScopeAndHelp(t *testing.T) {
	_, table, found := strings.Cut(string(readText(t, "README.md")), "\n## Every setting\n")
	if !found {
		t.Fatal("there is no table")
	}
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.*?) \\| (.*?) \\| (yes )?\\| (.+) \\|$")
	var names []string
	for _, cells := range row.FindAllStringSubmatch(table, -1) {
		name, initial, ranges, perLocation, help := cells[1], cells[2], cells[3], cells[4] != "", cells[5]
		names = append(names, name)
		k := byName[name]
		if initial != k.initial && initial+k.initial != "empty" {
			t.Errorf("%s: the default is %q, in the table of keys %q", name, initial, k.initial)
		}
		for part := range strings.SplitSeq(ranges, "; ") {
			if !strings.Contains(k.kind.allowed, part) {
				t.Errorf("%s: the range has %q, but the error message says %q", name, part, k.kind.allowed)
			}
		}
		if between := rangeOf(k); !strings.Contains(ranges, between) || strings.Contains(ranges, " to ") && between == "" {
			t.Errorf("%s: the range is %q, in the table of keys %q", name, ranges, between)
		}
		if perLocation != (k.scope == location) {
			t.Errorf("%s: can be set for a location: %v", name, perLocation)
		}
		if help != k.help {
			t.Errorf("%s: %q, in the table of keys %q", name, help, k.help)
		}
	}
	if want := namesOf(""); !slices.Equal(names, want) {
		t.Errorf("the manual has\n%q\nthe table of keys has\n%q", names, want)
	}
	if rows := strings.Count(table, "\n|") - 2; rows != len(names) {
		t.Errorf("only %d of %d rows are understood", len(names), rows)
	}
}

func TestKeys_ManualNamesThoseThatNeedARestart(t *testing.T) {
	_, sentence, _ := strings.Cut(string(readText(t, "README.md")), "Changes of ")
	sentence, _, _ = strings.Cut(sentence, "need a restart")
	for _, k := range keys {
		name, _, _ := strings.Cut(k.name, ".")
		if named := strings.Contains(sentence, "`"+name+"`"); named != (k.scope <= restart) {
			t.Errorf("%s: the manual says that it needs a restart: %v", k.name, named)
		}
	}
}

// The manual's first example is a file that an administrator copies, and another one switches tokens on.
func TestKeys_ExamplesOfTheManualAreValid(t *testing.T) {
	for _, begin := range []string{"publish:\n", "publish: { allow: none }\nsubscribe: { allow: private-*, signed"} {
		_, rest, found := strings.Cut(string(readText(t, "README.md")), "\n```yaml\n"+begin)
		if !found {
			t.Fatalf("no example begins with %q", begin)
		}
		rest, _, _ = strings.Cut(rest, "```")
		secrets := filepath.Join(t.TempDir(), "secrets")
		if err := os.WriteFile(secrets, []byte(strings.Repeat("x", access.MinSecret)), 0o600); err != nil {
			t.Fatal(err)
		}
		example := strings.ReplaceAll(begin+rest, "/etc/novcomet/secrets", secrets)
		if lines := load(t, Source{File: write(t, example)}).Warnings(); len(lines) > 0 {
			t.Errorf("%s\n%q", example, lines)
		}
	}
}

func TestSuggest_NamesTheSuccessorOfARemovedKey(t *testing.T) {
	for name, successor := range map[string]string{
		"max_streams":       "max_waiting",
		"data.max_answer":   "data.max_bytes",
		"memcached.timeout": "store_timeout",
		"redis.timeout":     "store_timeout",
		"memcached.prefix":  "store_prefix",
		"redis.prefix":      "store_prefix",
		"subscribe.secret":  "subscribe.secret_file",
		"redis.password":    "redis.password_file",
		"redis.db":          "store_prefix",
	} {
		removed := ": it was removed: use " + successor + ", "
		for _, text := range []string{name + ": 1", strings.Replace(name, ".", ":\n  ", 1) + ": 1",
			strings.ToUpper(name) + ": 1", name + ":"} {
			refuses(t, text, "line ", `: unknown key "`+name+`"`+removed)
		}
		for _, value := range []string{"1", ""} {
			_, err := Load(Source{File: os.DevNull, Environ: []string{variableOf(name) + "=" + value}})
			wantError(t, err, `unknown environment variable "`+variableOf(name)+`"`+removed)
			_, err = defaults(t).Locate(variables(variableOf(name), value))
			wantError(t, err, `unknown variable "`+variableOf(name)+`"`+removed)
		}
		_, err := Load(Source{File: os.DevNull, Flags: map[string]string{name: "1"}})
		wantError(t, err, "flag --"+name, removed)
		if _, ok := byName[successor]; !ok {
			t.Errorf("%s is replaced by %s, which is not a name", name, successor)
		}
	}
}
