package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"novcomet/examples/internal/docs"
	"novcomet/examples/internal/launch"
)

// A check returns the problems of a page, each as "line: problem".
type check func(repository, *docs.Page) []string

var checks = map[string]check{
	"length":      tooLong,
	"links":       brokenLinks,
	"tests":       missingTests,
	"keys":        missingKeys,
	"commands":    missingFiles,
	"code blocks": badBlocks,
	"words":       forbiddenWords,
}

func TestTexts_HaveNoProblems(t *testing.T) {
	root, err := launch.Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := readRepository(t, root)
	texts, err := docs.Files(root, ".md")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		page, err := docs.Read(filepath.Join(root, text))
		if err != nil {
			t.Fatal(err)
		}
		for name, check := range checks {
			t.Run(text+"/"+name, func(t *testing.T) {
				for _, problem := range check(r, page) {
					t.Errorf("%s:%s", text, problem)
				}
			})
		}
	}
}

func problem(line int, format string, args ...any) string {
	return fmt.Sprintf("%d: %s", line, fmt.Sprintf(format, args...))
}

// A repository has the names that the texts are compared with.
type repository struct {
	root      string
	functions map[string]bool // TestX, FuzzX and BenchmarkX of all modules
	keys      map[string]bool // keys and groups of comet.yaml
	sources   string          // the Go sources without their tests
}

func readRepository(t *testing.T, root string) repository {
	t.Helper()
	r := repository{root: root, functions: map[string]bool{}, keys: map[string]bool{}}
	names, err := docs.Files(root, ".go")
	if err != nil {
		t.Fatal(err)
	}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w*)\(`)
	var sources strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.go") {
			sources.Write(text)
			continue
		}
		for _, match := range function.FindAllSubmatch(text, -1) {
			r.functions[string(match[1])] = true
		}
	}
	r.sources = sources.String()
	text, err := os.ReadFile(filepath.Join(root, "conf", "comet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var settings map[string]any
	if err := yaml.Unmarshal(text, &settings); err != nil {
		t.Fatal(err)
	}
	addKeys(r.keys, "", settings)
	return r
}

func addKeys(keys map[string]bool, prefix string, settings map[string]any) {
	for key, value := range settings {
		keys[prefix+key] = true
		if group, ok := value.(map[string]any); ok {
			addKeys(keys, prefix+key+".", group)
		}
	}
}

// testCheck tests a check in a small repository. The check must accept one text, and find one problem in each
// of the others. The texts are those of a page at path.
func testCheck(t *testing.T, name, path, right string, wrong ...string) {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"conf/comet.yaml":    "tries: 20\nfile:\n  directory: /dev/shm\n",
		"conf/conf_test.go":  "package conf\n\nfunc TestLoad(t *testing.T) {\n",
		"conf/location.go":   "package conf\n\nconst user = \"COMET_USER\"\n",
		"examples/test.sh":   "",
		"examples/README.md": "# Files to copy\n\n## nginx & Apache\n\n## Twice\n\n## Twice\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := readRepository(t, root)
	path = filepath.Join(root, path)
	if problems := checks[name](r, docs.Parse(path, right)); len(problems) > 0 {
		t.Errorf("%q: %q, want no problem", right, problems)
	}
	for _, text := range wrong {
		if problems := checks[name](r, docs.Parse(path, text)); len(problems) != 1 {
			t.Errorf("%q: %q, want one problem", text, problems)
		}
	}
}
