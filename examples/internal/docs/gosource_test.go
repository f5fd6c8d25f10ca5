package docs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"novcomet/examples/internal/docs"
	"novcomet/examples/internal/launch"
)

// badGoLines returns the problems of the lines of a Go file.
func badGoLines(source string) (problems []string) {
	const maxCode, maxComment = 120, 110 // characters; a tab counts as one
	for i, line := range strings.Split(source, "\n") {
		limit := maxCode
		if strings.HasPrefix(strings.TrimLeft(line, "\t"), "//") {
			limit = maxComment
		}
		if n := utf8.RuneCountInString(line); n > limit {
			problems = append(problems, problem(i+1, "%d characters, at most %d", n, limit))
		}
		if word := forbidden.FindString(line); word != "" {
			problems = append(problems, problem(i+1, "%q", word))
		}
	}
	return problems
}

func TestGoSource_HasShortLinesAndPlainWords(t *testing.T) {
	root, err := launch.Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files, err := docs.Files(root, ".go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasPrefix(file, "examples/internal/docs/") { // It names the words that it forbids.
			continue
		}
		source, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range badGoLines(string(source)) {
			t.Errorf("%s:%s", file, p)
		}
	}
}

func TestBadGoLines(t *testing.T) {
	const right = "package a\n\t// the client is answered, as is each client that is notified"
	if got := badGoLines(right + strings.Repeat("x", 40)); got != nil {
		t.Errorf("%q", got)
	}
	for _, wrong := range []string{
		"\t// " + strings.Repeat("é", 107), strings.Repeat("x", 121), "// whoever waits", `panic("what is none")`,
	} {
		if got := badGoLines("package a\n" + wrong); len(got) != 1 || !strings.HasPrefix(got[0], "2: ") {
			t.Errorf("%q: %q, want one problem in line 2", wrong, got)
		}
	}
}
