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

// badLines returns the problems of the lines of a source.
func badLines(source string) (problems []string) {
	const maxCode, maxComment = 120, 110 // characters; a tab counts as one
	for i, line := range strings.Split(source, "\n") {
		limit := maxCode
		if comment.MatchString(line) {
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
		switch {
		case strings.HasPrefix(file, "examples/internal/docs/"): // It names the words that it forbids.
			continue
		case file == "examples/browser/novcomet.js", file == "examples/browser/novcomet.mjs": // made from src
			continue
		}
		source, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range badLines(string(source)) {
			t.Errorf("%s:%s", file, p)
		}
	}
}

func TestBadLines(t *testing.T) {
	const right = "package a\n\t// the client is answered, as is each client that is notified"
	if got := badLines(right + strings.Repeat("x", 40)); got != nil {
		t.Errorf("%q", got)
	}
	for _, wrong := range []string{
		"  /** " + strings.Repeat("x", 105), "   * " + strings.Repeat("x", 106),
		"\t// " + strings.Repeat("é", 107), "  # " + strings.Repeat("x", 107), strings.Repeat("x", 121), "// whoever waits", `panic("what is none")`,
	} {
		if got := badLines("package a\n" + wrong); len(got) != 1 || !strings.HasPrefix(got[0], "2: ") {
			t.Errorf("%q: %q, want one problem in line 2", wrong, got)
		}
	}
}
