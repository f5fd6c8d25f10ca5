// Package docs reads the texts of the repository: their headings, links, code spans and code blocks. The tests of
// this package check what the texts name; the tests with real servers run the commands.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/pkg/errors"
)

// A Page is one text.
type Page struct {
	Path     string // as given to Read
	Lines    []string
	Headings []Heading
	Links    []Link
	Spans    []Span // `code` within a line
	Blocks   []Block
	Cells    []Cell
}

// A Heading is a line such as "## Install".
type Heading struct {
	Line  int // the first line is 1
	Level int
	Text  string // without markup
	Slug  string // the anchor that GitHub gives it
	Notes []Note // below it, before anything else
}

// A Link is the target of a link or an image.
type Link struct {
	Line   int
	Target string
}

// A Span is code within a line.
type Span struct {
	Line int
	Text string
}

// A Cell is one field of a table.
type Cell struct {
	Line   int
	Column string // its heading
	Text   string
}

// A Block is a code block.
type Block struct {
	Line     int // of its first line of code
	Heading  string
	Language string // of the fence
	Fenced   bool   // between ``` lines; otherwise it is indented
	Lines    []string
	Notes    []Note // directly above it
}

// Commands reports whether the block is for a shell.
func (b Block) Commands() bool { return !b.Fenced || b.Language == "sh" }

// A Note is an HTML comment on a line of its own: <!-- name: value -->.
type Note struct {
	Line        int
	Name, Value string
}

// Find returns the note with that name.
func Find(notes []Note, name string) (value string, found bool) {
	for _, n := range notes {
		if n.Name == name {
			return n.Value, true
		}
	}
	return "", false
}

// Root returns the directory of the project's main module, which is the working directory or above it.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", errors.Wrap(err, "working directory")
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module novcomet\n") {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod of the module novcomet here or above")
		}
		dir = filepath.Dir(dir)
	}
}

// Files returns the paths below root, relative to it, of the files whose names end in suffix.
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
			return nil // the .git of a worktree is a file
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
	return paths, errors.Wrap(err, "texts")
}

// Read parses the text in a file.
func Read(path string) (*Page, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.Wrap(err, "text")
	}
	return Parse(path, string(text)), nil
}

// Blocks returns the code blocks of a text.
func Blocks(file string) ([]Block, error) {
	page, err := Read(file)
	if err != nil {
		return nil, err
	}
	return page.Blocks, nil
}

var (
	headingLine = regexp.MustCompile(`^(#{1,6})\s+(.*?)\s*#*$`)
	fenceLine   = regexp.MustCompile("^( *)(```+|~~~+) *([^` ]*)")
	itemLine    = regexp.MustCompile(`^ *(?:[-*+]|\d+[.)]) +`)
	noteLine    = regexp.MustCompile(`^<!-- ([a-z ]+?)(?:: (.*?))? -->$`)
	rowLine     = regexp.MustCompile(`^\s*\|(.*)\|\s*$`)
	ruleLine    = regexp.MustCompile(`^[\s|:-]+$`)

	span      = regexp.MustCompile("``(.+?)``|`([^`]+)`")
	inline    = regexp.MustCompile(`\]\(\s*<?([^)\s>]+)>?[^)]*\)`)
	reference = regexp.MustCompile(`^\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)`)
	attribute = regexp.MustCompile(`(?i)<(?:a|img)\s[^>]*?(?:href|src)="([^"]+)"`)
	linkText  = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
)

type parser struct {
	page    *Page
	heading string
	notes   []Note // since the last line that is neither a note nor empty
	open    *Block // the block that the line before belongs to, unless it has ended
	fence   string // the marker that ends the open block; "" in an indented one
	margin  int    // how far the open block is indented
	item    int    // where the text of the list item begins; 0 outside of lists
	text    bool   // the line before belongs to a paragraph
	columns []string
	slugs   map[string]int
	bare    bool // the lines so far below the last heading are notes and empty lines
}

// Parse parses a text.
func Parse(path, text string) *Page {
	p := &parser{page: &Page{Path: path}, slugs: map[string]int{}}
	p.page.Lines = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range p.page.Lines {
		p.line(i+1, line)
	}
	p.close()
	return p.page
}

func (p *parser) line(number int, line string) {
	indent := len(line) - len(strings.TrimLeft(line, " "))
	blank := strings.TrimSpace(line) == ""
	switch {
	case p.open != nil && p.fence != "":
		if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, p.fence) && strings.Trim(trimmed, p.fence[:1]) == "" {
			p.close()
			return
		}
		p.add(line)
	case p.open != nil && (blank || indent >= p.margin):
		p.add(line)
	case !p.text && !blank && indent >= p.item+4:
		p.begin(Block{Line: number}, "", p.item+4)
		p.add(line)
	default:
		p.close()
		p.prose(number, line, indent, blank)
	}
}

// prose parses a line outside of code blocks.
func (p *parser) prose(number int, line string, indent int, blank bool) {
	if fence := fenceLine.FindStringSubmatch(line); fence != nil {
		p.begin(Block{Line: number + 1, Language: fence[3], Fenced: true}, fence[2], len(fence[1]))
		return
	}
	if note := noteLine.FindStringSubmatch(strings.TrimSpace(line)); note != nil {
		p.note(Note{number, note[1], note[2]})
		return
	}
	if blank {
		p.text, p.columns = false, nil
		return
	}
	p.notes = nil
	if marker := itemLine.FindString(line); marker != "" {
		p.item = len(marker)
	} else if !p.text && indent < p.item {
		p.item = 0
	}
	p.text = true
	heading := headingLine.FindStringSubmatch(line)
	if p.bare = heading != nil; p.bare {
		p.title(Heading{Line: number, Level: len(heading[1]), Text: plain(heading[2])})
	}
	p.row(number, line)
	p.references(number, line)
}

func (p *parser) begin(block Block, fence string, margin int) {
	block.Heading, block.Notes = p.heading, p.notes
	p.open, p.fence, p.margin = &block, fence, margin
	p.notes, p.bare = nil, false
}

// add adds a line to the open block, without the indentation of the block.
func (p *parser) add(line string) {
	for range p.margin {
		line = strings.TrimPrefix(line, " ")
	}
	p.open.Lines = append(p.open.Lines, line)
}

func (p *parser) close() {
	if p.open == nil {
		return
	}
	lines := p.open.Lines
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	p.open.Lines = lines
	p.page.Blocks = append(p.page.Blocks, *p.open)
	p.open, p.text = nil, false
}

func (p *parser) note(note Note) {
	p.notes = append(p.notes, note)
	if p.bare {
		last := &p.page.Headings[len(p.page.Headings)-1]
		last.Notes = append(last.Notes, note)
	}
	p.text = false
}

func (p *parser) title(heading Heading) {
	slug := Slug(heading.Text)
	if n := p.slugs[slug]; n > 0 {
		heading.Slug = slug + "-" + strconv.Itoa(n)
	} else {
		heading.Slug = slug
	}
	p.slugs[slug]++
	p.page.Headings = append(p.page.Headings, heading)
	p.heading, p.item, p.text = heading.Text, 0, false
}

// row adds the cells of a line of a table, if it is one. The first row has the names of the columns.
func (p *parser) row(number int, line string) {
	row := rowLine.FindStringSubmatch(line)
	if row == nil {
		p.columns = nil
		return
	}
	cells := strings.Split(strings.ReplaceAll(row[1], `\|`, "\x00"), "|")
	first := p.columns == nil
	for i, cell := range cells {
		cell = strings.TrimSpace(strings.ReplaceAll(cell, "\x00", "|"))
		switch {
		case first:
			p.columns = append(p.columns, plain(cell))
		case i < len(p.columns) && !ruleLine.MatchString(line):
			p.page.Cells = append(p.page.Cells, Cell{number, p.columns[i], cell})
		}
	}
}

// references adds the code spans and the links of a line.
func (p *parser) references(number int, line string) {
	rest := span.ReplaceAllStringFunc(line, func(code string) string {
		p.page.Spans = append(p.page.Spans, Span{number, strings.Trim(code, "` ")})
		return "`"
	})
	for _, form := range []*regexp.Regexp{inline, reference, attribute} {
		for _, match := range form.FindAllStringSubmatch(rest, -1) {
			p.page.Links = append(p.page.Links, Link{number, match[1]})
		}
	}
}

// plain returns a heading without its markup.
func plain(text string) string {
	text = linkText.ReplaceAllString(text, "$1")
	return strings.NewReplacer("`", "", "**", "", "*", "").Replace(text)
}

// Slug returns the anchor of a heading on GitHub: small letters, no punctuation, hyphens in the place of spaces.
func Slug(heading string) string {
	var slug strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r == ' ':
			slug.WriteByte('-')
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r):
			slug.WriteRune(r)
		}
	}
	return slug.String()
}
