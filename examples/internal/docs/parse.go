package docs

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

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
	notes   []Note         // the notes since the last line of other text
	open    *Block         // the block of the last line, nil outside of blocks
	fence   string         // the marker that ends the open block, empty for an indented block
	margin  int            // the indentation of the open block
	item    int            // the column where the text of the list item begins, 0 outside of lists
	text    bool           // the last line belongs to a paragraph
	columns []string       // the headings of the table
	slugs   map[string]int // how many headings have this slug
	bare    bool           // only notes and empty lines follow the last heading so far
}

// Parse parses a text. The path is only stored in the page.
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
		marker := strings.TrimSpace(line)
		if strings.HasPrefix(marker, p.fence) && strings.Trim(marker, p.fence[:1]) == "" {
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

// prose parses a line outside of code blocks, or the first line of a fenced one.
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

// add adds a line to the open block, without the block's indentation.
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

// row adds the cells of a table row. The first row has the headings of the columns.
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

// Slug returns the anchor of a heading on GitHub: lower case, no punctuation, and hyphens instead of spaces.
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
