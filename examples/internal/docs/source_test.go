package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"novcomet/examples/internal/docs"
	"novcomet/examples/internal/launch"
)

var comment = regexp.MustCompile(`^\s*(//|/\*| \*|#)`)

// badLines returns the problems of the lines of a source. These tests themselves name the words that they
// forbid.
func badLines(file, source string) (problems []string) {
	const maxCode, maxComment = 120, 110 // characters; a tab counts as one
	for i, line := range strings.Split(source, "\n") {
		limit := maxCode
		if comment.MatchString(line) {
			limit = maxComment
		}
		if n := utf8.RuneCountInString(line); n > limit {
			problems = append(problems, problem(i+1, "%d characters, at most %d", n, limit))
		}
		if word := forbidden.FindString(line); word != "" && !strings.HasPrefix(file, "examples/internal/docs/") {
			problems = append(problems, problem(i+1, "%q", word))
		}
	}
	return problems
}

func TestSources_HaveShortLinesAndPlainWords(t *testing.T) {
	root, err := launch.Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, suffix := range []string{".go", ".js", ".mjs", ".mts", ".php", ".py", ".yaml"} {
		found, err := docs.Files(root, suffix)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		if file == "examples/browser/novcomet.js" || file == "examples/browser/novcomet.mjs" { // made from src
			continue
		}
		source, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range badLines(file, string(source)) {
			t.Errorf("%s:%s", file, p)
		}
	}
}

func TestBadLines(t *testing.T) {
	const right = "package a\n\t// the client is answered, as is each client that is notified"
	if got := badLines("a.go", right+strings.Repeat("x", 40)); got != nil {
		t.Errorf("%q", got)
	}
	own := badLines("examples/internal/docs/a_test.go", "// whoever waits\n"+strings.Repeat("x", 121))
	if len(own) != 1 || !strings.HasPrefix(own[0], "2: ") {
		t.Errorf("in its own files: %q, want one problem in line 2", own)
	}
	for _, wrong := range []string{
		"  /** " + strings.Repeat("x", 105), "   * " + strings.Repeat("x", 106),
		"\t// " + strings.Repeat("é", 107), "  # " + strings.Repeat("x", 107), strings.Repeat("x", 121), "// whoever waits",
		`panic("what is none")`,
	} {
		if got := badLines("a.go", "package a\n"+wrong); len(got) != 1 || !strings.HasPrefix(got[0], "2: ") {
			t.Errorf("%q: %q, want one problem in line 2", wrong, got)
		}
	}
}
