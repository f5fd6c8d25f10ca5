package sim

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A comment "// rule: NAME" marks a rule of delivery in the source. Random histories must detect each broken
// rule, in each of its variants.
//
// The mark stands at the end of a line of code, or alone on the line above. It marks the largest statement,
// condition, operand of && or ||, or argument of min, max or cmp.Or that lies on that line as a whole:
//
//   - A statement is skipped. If it is "x, err = f()", it also gets the results of the call before.
//     Declarations and := cannot be marked.
//   - A condition of an if or a case, or a bool that is returned, becomes true and becomes false.
//     "a != b" also becomes "a > b", unless b is nil or a literal.
//   - An operand is left out. So is one of two arguments.
//
// NAME is unique: lower-case words joined by hyphens. It says what is kept. Histories of streams and data
// must detect the rules that begin with "stream-" or "data-", and histories through the reactor those that
// begin with "server-". Histories of polls must detect the others.
var (
	anyMark  = regexp.MustCompile(`^//\s*rule\b`)
	goodMark = regexp.MustCompile(`^// rule: ([a-z0-9]+(?:-[a-z0-9]+)+)$`)
)

func TestRuleMarks_CanBeBroken(t *testing.T) {
	const fewest = 87
	rules, sources := breakableRules(t)
	if len(rules) < fewest {
		t.Errorf("%d rules are marked; want at least %d", len(rules), fewest)
	}
	for path, source := range sources {
		if _, err := parser.ParseFile(token.NewFileSet(), path, source, parser.SkipObjectResolution); err != nil {
			t.Errorf("when its rules are breakable: %v", err)
		}
	}
}

// rule is a marked rule.
type rule struct {
	name     string
	at       token.Position
	variants []string // how the rule is broken
	first    int      // number of the first variant; numbers are unique among all rules
}

// reactor has the package whose histories go through connections.
const reactor = "../../fcgi/reactor"

// breakableRules returns the rules that are marked in the reactor and below the directory core. sources has
// the files in which they can be broken, by absolute path. The environment variable brokenRule has the number
// of the variant in force.
func breakableRules(t *testing.T) (rules []rule, sources map[string][]byte) {
	t.Helper()
	b := &breaker{fileSet: token.NewFileSet(), next: 1, sources: map[string][]byte{}, marks: map[string]token.Position{}}
	for _, directory := range []string{"..", reactor} {
		root, err := filepath.Abs(directory)
		if err == nil {
			err = filepath.WalkDir(root, b.visit)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.rules, b.sources
}

// breaker makes the marked rules of source files breakable.
type breaker struct {
	fileSet *token.FileSet
	rules   []rule
	next    int // number of a variant
	sources map[string][]byte
	marks   map[string]token.Position // by name
}

// visit adds the rules of a source file. It is called for all files and directories.
func (b *breaker) visit(path string, entry fs.DirEntry, err error) error {
	switch {
	case err != nil:
		return err
	case entry.IsDir() && entry.Name() == "testdata":
		return fs.SkipDir
	case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
		return nil
	}
	return b.add(path)
}

// add adds the rules of a file.
func (b *breaker) add(path string) error {
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(b.fileSet, path, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	var edits []edit
	for _, group := range file.Comments {
		for _, comment := range group.List {
			if !anyMark.MatchString(comment.Text) {
				continue
			}
			e, err := b.mark(file, source, comment)
			if err != nil {
				return err
			}
			edits = append(edits, e)
		}
	}
	if len(edits) == 0 {
		return nil
	}
	slices.SortFunc(edits, func(x, y edit) int { return cmp.Compare(y.start, x.start) })
	for _, e := range edits { // from the end of the file on, so that the offsets stay valid
		source = slices.Concat(source[:e.start], []byte(e.text), source[e.end:])
	}
	b.sources[path] = source
	b.sources[filepath.Join(filepath.Dir(path), "broken_rule.go")] = fmt.Appendf(nil, brokenRuleSource, file.Name.Name)
	return nil
}

// edit replaces a part of a file.
type edit struct {
	start, end int
	text       string
}

func (b *breaker) mark(file *ast.File, source []byte, comment *ast.Comment) (edit, error) {
	at := b.fileSet.Position(comment.Pos())
	match := goodMark.FindStringSubmatch(comment.Text)
	if match == nil {
		return edit{}, fmt.Errorf(`%v: write "// rule: NAME" with words joined by hyphens instead of %q`, at, comment.Text)
	}
	name := match[1]
	if other, used := b.marks[name]; used {
		return edit{}, fmt.Errorf("%v: the rule %s is also at %v", at, name, other)
	}
	b.marks[name] = at
	line := at.Line
	if lineStart := at.Offset - (at.Column - 1); len(bytes.TrimSpace(source[lineStart:at.Offset])) == 0 {
		line++
	}
	f := finder{fileSet: b.fileSet, source: source, line: line}
	node := f.find(file)
	if node == nil {
		return edit{}, fmt.Errorf("%v: line %d has nothing that can be broken", at, line)
	}
	r := rule{name: name, at: at, variants: node.variants, first: b.next}
	b.rules = append(b.rules, r)
	b.next += len(r.variants)
	return edit{f.offset(node.Pos()), f.offset(node.End()), node.broken(r.first)}, nil
}
