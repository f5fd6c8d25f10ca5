package docs_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"novcomet/examples/internal/docs"
)

func tooLong(r repository, p *docs.Page) []string {
	limit := 200
	switch filepath.Dir(p.Path) {
	case r.root:
		limit = 160
	case filepath.Join(r.root, ".github"):
		limit = 150
	}
	if len(p.Lines) > limit {
		return []string{problem(limit+1, "%d lines, at most %d", len(p.Lines), limit)}
	}
	return nil
}

func TestTooLong(t *testing.T) {
	testCheck(t, "length", "README.md", strings.Repeat("a\n", 160), strings.Repeat("a\n", 161))
	testCheck(t, "length", "conf/README.md", strings.Repeat("a\n", 200), strings.Repeat("a\n", 201))
	testCheck(t, "length", ".github/SECURITY.md", strings.Repeat("a\n", 150), strings.Repeat("a\n", 151))
}

var (
	noteStart = regexp.MustCompile(`^\s*<!--\s*([a-z ]*)`)
	noteNames = []string{"after", "alternative", "append", "file", "insert", "not run"}
)

func badBlocks(r repository, p *docs.Page) (problems []string) {
	for i, line := range p.Lines {
		note := noteStart.FindStringSubmatch(line)
		if note != nil && !slices.Contains(noteNames, strings.TrimSpace(note[1])) {
			problems = append(problems, problem(i+1, "%s: the note is not one of %q", line, noteNames))
		}
	}
	for _, heading := range p.Headings {
		if after, found := docs.Find(heading.Notes, "after"); found {
			links := []docs.Link{{Line: heading.Line, Target: after}}
			fromRoot := &docs.Page{Path: filepath.Join(r.root, "README.md"), Links: links}
			problems = append(problems, brokenLinks(r, fromRoot)...)
		}
	}
	for _, block := range p.Blocks {
		if block.Fenced && block.Language == "" {
			problems = append(problems, problem(block.Line, "the code block names no language"))
		}
		if reason, found := docs.Find(block.Notes, "not run"); found && reason == "" {
			problems = append(problems, problem(block.Line, "the note does not say why the block is not run"))
		}
	}
	return problems
}

func TestBadBlocks(t *testing.T) {
	const right = "# A\n<!-- after: examples/README.md#twice -->\n\n" +
		"<!-- not run: it takes an hour -->\n\n    sleep 1h\n\n```text\nx\n```"
	testCheck(t, "code blocks", "README.md", right,
		"```\nx\n```",
		"<!-- not run -->\n\n    sleep 1h",
		"<!-- unknown: x -->",
		"# A\n<!-- after: none.md -->",
		"# A\n<!-- after: examples/README.md#none -->")
}

// forbidden matches the words that neither texts nor Go files may use.
var forbidden = regexp.MustCompile(`(?i)\b(told|whoever|as\s+shipped|tells\s+of|what\s+is\s+no(ne)?)\b`)

func forbiddenWords(_ repository, p *docs.Page) (problems []string) {
	text := strings.Join(p.Lines, "\n")
	for _, found := range forbidden.FindAllStringIndex(text, -1) {
		line := 1 + strings.Count(text[:found[0]], "\n")
		problems = append(problems, problem(line, "%q", text[found[0]:found[1]]))
	}
	return problems
}

func TestForbiddenWords(t *testing.T) {
	testCheck(t, "words", "README.md", "what is not trusted, tolding",
		"It is told.", "Whoever", "as\nshipped", "tells of", "what is none")
}
