// Package docs parses the Markdown files of the repository: headings, links, code spans, tables and code
// blocks. Its tests check that what the texts name exists. The tests of examples/e2e run the commands.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"
)

// A Page is a parsed Markdown file.
type Page struct {
	Path     string // as passed to Read or Parse
	Lines    []string
	Headings []Heading
	Links    []Link
	Spans    []Span // `code` in a line
	Blocks   []Block
	Cells    []Cell
}

// A Heading is a line such as "## Install".
type Heading struct {
	Line  int // from 1
	Level int
	Text  string // without markup
	Slug  string // its anchor on GitHub
	Notes []Note // directly below it
}

// A Link is the target of a link or an image.
type Link struct {
	Line   int
	Target string
}

// A Span is code in a line.
type Span struct {
	Line int
	Text string
}

// A Cell is a field of a table.
type Cell struct {
	Line   int
	Column string // the heading of the column
	Text   string
}

// A Block is a code block.
type Block struct {
	Line     int    // of its first line of code
	Heading  string // the text of the heading above it
	Language string // of the fence
	Fenced   bool   // between ``` lines, not indented
	Lines    []string
	Notes    []Note // directly above it
}

// Commands reports whether the block has commands for a shell.
func (b Block) Commands() bool { return !b.Fenced || b.Language == "sh" }

// A Note is an HTML comment on a line of its own: <!-- name: value -->.
type Note struct {
	Line        int
	Name, Value string
}

// Find returns the value of the note with this name.
func Find(notes []Note, name string) (value string, found bool) {
	for _, n := range notes {
		if n.Name == name {
			return n.Value, true
		}
	}
	return "", false
}

// Files returns the files below root whose paths end in suffix. The paths are relative to root.
func Files(root, suffix string) (paths []string, err error) {
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch entry.Name() {
		case ".git", "node_modules", "testdata":
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil // In a worktree, .git is a file.
		}
		if !entry.IsDir() && strings.HasSuffix(path, suffix) {
			relative, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			paths = append(paths, relative)
		}
		return nil
	})
	return paths, errors.Wrap(err, "listing files")
}

// Read parses a file.
func Read(path string) (*Page, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.Wrap(err, "reading a page")
	}
	return Parse(path, string(text)), nil
}
