package docs_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"novcomet/examples/internal/docs"
)

// missingFiles checks the packages and files of the repository that commands and code spans name.
func missingFiles(r repository, p *docs.Page) (problems []string) {
	check := func(line int, command string) {
		for _, word := range missingWords(r.root, command) {
			problems = append(problems, problem(line, "%s: %s is not in the repository", command, word))
		}
	}
	for _, block := range p.Blocks {
		if block.Commands() {
			for i, line := range block.Lines {
				check(block.Line+i, line)
			}
		}
	}
	for _, span := range p.Spans {
		if strings.HasPrefix(span.Text, "go ") || !strings.Contains(span.Text, " ") {
			check(span.Line, span.Text)
		}
	}
	return problems
}

// topLevel has the directories of the repository. A word that begins with one of them is a path.
var topLevel = []string{".ci", ".github", "cgi", "fcgi", "core", "conf", "examples"}

// missingWords returns the words of a command that name a missing package or file of the repository.
func missingWords(root, command string) (words []string) {
	command, _, _ = strings.Cut(command, " #")
	separates := func(r rune) bool { return strings.ContainsRune(" '\"`();&|<>=,", r) }
	fields := strings.FieldsFunc(command, separates)
	isGo := slices.Contains(fields, "go")
	dir := root
	for i, word := range fields {
		if strings.ContainsAny(word, "{}$…@") {
			continue
		}
		first, _, below := strings.Cut(word, "/")
		switch {
		case i > 0 && fields[i-1] == "-C":
			dir = filepath.Join(root, word)
			if !hasGo(dir, false) {
				return []string{word}
			}
		case isGo && (word == "." || first == "." || first == ".."):
			tree := strings.HasSuffix(word, "/...")
			if !hasGo(filepath.Join(dir, strings.TrimSuffix(word, "...")), tree) {
				words = append(words, word)
			}
		case below && slices.Contains(topLevel, first):
			if found, err := filepath.Glob(filepath.Join(root, word)); err != nil || len(found) == 0 {
				words = append(words, word)
			}
		}
	}
	return words
}

// hasGo reports whether a directory has a Go file. With tree it searches the directories below, too.
func hasGo(dir string, tree bool) bool {
	if tree {
		files, err := docs.Files(dir, ".go")
		return err == nil && len(files) > 0
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.go"))
	return err == nil && len(found) > 0
}

func TestMissingFiles(t *testing.T) {
	const right = `    go build -o comet ./conf
    go -C conf test ./...
    go test ./... # ./none
    sudo install conf/comet.yaml /etc
    go run example.com/x@v1

` + "`examples/test.sh`, `conf/`, `/etc/none`, `conf and core/none`"
	testCheck(t, "commands", "README.md", right,
		"    go test ./none",
		"```sh\ngo run ./examples\n```",
		"    go -C examples test .",
		"    go -C conf test ./none",
		"    examples/none.sh",
		"`go run ./none`",
		"`examples/none.sh`",
		"    cp examples/*.none /etc")
}
