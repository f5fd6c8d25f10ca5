package conf

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestREADME_TableHasEveryKeyWithItsDefaultAndRange(t *testing.T) {
	_, table, found := strings.Cut(readme(t), "\n## Every setting\n")
	if !found {
		t.Fatal("there is no table")
	}
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.*?) \\| (.*?) \\| (yes )?\\| (.+) \\|$")
	defaults := shipped().values
	var listed []string
	for _, cells := range row.FindAllStringSubmatch(table, -1) {
		key, value, ranges, perLocation := cells[1], cells[2], cells[3], cells[4] != ""
		listed = append(listed, key)
		s, ok := keyed(key)
		if !ok {
			continue // reported below
		}
		if want := cell(defaults[key]); value != want {
			t.Errorf("%s: the default is %q in the table, %q in comet.yaml", key, value, want)
		}
		for part := range strings.SplitSeq(ranges, "; ") {
			if !strings.Contains(s.allowed, part) {
				t.Errorf("%s: the range has %q, but the error message for a bad value says %q", key, part, s.allowed)
			}
		}
		if perLocation != s.perLocation {
			t.Errorf("%s: can be set for a location: %v in the table, %v in fact", key, perLocation, s.perLocation)
		}
	}
	if want := keys(); !reflect.DeepEqual(listed, want) {
		t.Errorf("the table has\n%q\ncomet.yaml has\n%q", listed, want)
	}
	if rows := strings.Count(table, "\n|") - 2; rows != len(listed) {
		t.Errorf("of %d rows only %d are understood", rows, len(listed))
	}
}

// cell is a default as the table shows it.
func cell(value any) string {
	if list, ok := value.([]any); ok {
		elements := make([]string, len(list))
		for i, e := range list {
			elements[i] = e.(string)
		}
		return strings.Join(elements, ", ")
	}
	if value == "" {
		return "empty"
	}
	return value.(string)
}

// The first lines of code are a file that an administrator copies, and so are those that switch tokens on.
func TestREADME_ExamplesAreValid(t *testing.T) {
	text := readme(t)
	for _, begin := range []string{"publish:\n", "publish: { allow: none }\nsubscribe: { allow: private-*, signed"} {
		_, rest, found := strings.Cut(text, "\n```yaml\n"+begin)
		if !found {
			t.Fatalf("no example begins with %q", begin)
		}
		rest, _, _ = strings.Cut(rest, "```")
		example := begin + rest
		secrets := filepath.Join(t.TempDir(), "secrets")
		if err := os.WriteFile(secrets, []byte(strings.Repeat("x", minSecret)), 0o600); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), fileName)
		example = strings.ReplaceAll(example, "/etc/novcomet/secrets", secrets)
		if err := os.WriteFile(file, []byte(example), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(Source{File: file})
		if err != nil {
			t.Errorf("%s\n%v", example, err)
		} else if lines := c.Warnings(); len(lines) > 0 {
			t.Errorf("%s\n%q", example, lines)
		}
	}
}
