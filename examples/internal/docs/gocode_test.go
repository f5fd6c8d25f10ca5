package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"novcomet/examples/internal/docs"
	"novcomet/examples/internal/launch"
)

// Nothing compiles the code blocks of a text. So each Go block must be a part of the example tests beside the
// text.
func TestGoCode_IsThatOfAnExample(t *testing.T) {
	root, err := launch.Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	texts, err := docs.Files(root, ".md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for _, text := range texts {
		page, err := docs.Read(filepath.Join(root, text))
		if err != nil {
			t.Fatal(err)
		}
		example, _ := os.ReadFile(filepath.Join(root, filepath.Dir(text), "example_test.go")) // It may be missing.
		for _, block := range page.Blocks {
			if block.Language != "go" {
				continue
			}
			blocks++
			if !contains(string(example), strings.Join(block.Lines, "\n")) {
				t.Errorf("%s:%d: example_test.go does not have this code", text, block.Line)
			}
		}
	}
	if blocks == 0 {
		t.Error("no text has Go code")
	}
}

var indentation = regexp.MustCompile(`(?m)^\s+`)

// contains reports whether the source has these lines, at any indentation.
func contains(source, lines string) bool {
	flat := func(code string) string { return "\n" + indentation.ReplaceAllString(code, "") + "\n" }
	return strings.Contains(flat(source), flat(lines))
}

func TestContains(t *testing.T) {
	const source = "func Example() {\n\tx := 1\n\tif x > 0 {\n\t\tx--\n\t}\n}\n"
	for lines, want := range map[string]bool{
		"x := 1":                       true,
		"x := 1\nif x > 0 {\n\tx--\n}": true,
		"x := 10":                      false,
		"x := ":                        false,
		"x--\nx := 1":                  false,
	} {
		if got := contains(source, lines); got != want {
			t.Errorf("%q: %v; want %v", lines, got, want)
		}
	}
}
