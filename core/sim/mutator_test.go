package sim

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

const brokenRule = "NOVCOMET_BROKEN_RULE"

// brokenRuleSource is added to each package that has a rule.
const brokenRuleSource = `package %s

import (
	"os"
	"strconv"
	"sync"
)

var brokenRule, _ = strconv.Atoi(os.Getenv("` + brokenRule + `"))

func breakArgument[T any](number int, argument, other T) T {
	if brokenRule == number {
		return other
	}
	return argument
}

var (
	breakMu       sync.Mutex
	resultsBefore = map[int]any{}
)

func breakOrder[X, Y any](number int, x X, y Y) (X, Y) {
	if brokenRule != number {
		return x, y
	}
	breakMu.Lock()
	defer breakMu.Unlock()
	before, called := resultsBefore[number].(func() (X, Y))
	resultsBefore[number] = func() (X, Y) { return x, y }
	if called {
		return before()
	}
	return x, y
}
`

// breakable is a part of the program that can be broken in some variants.
type breakable struct {
	ast.Node
	variants []string
	// broken returns the text that replaces the node. The variants are numbered from first on.
	broken func(first int) string
}

// finder finds what a mark marks.
type finder struct {
	fileSet *token.FileSet
	source  []byte
	line    int
	results []*ast.FieldList // of the functions around
	found   *breakable
}

// find returns the largest node that lies on the line as a whole and can be broken, or nil.
func (f *finder) find(file *ast.File) *breakable {
	ast.Inspect(file, f.inspect)
	return f.found
}

func (f *finder) inspect(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncDecl:
		f.results = []*ast.FieldList{n.Type.Results}
	case *ast.FuncLit:
		f.results = append(f.results, n.Type.Results)
		ast.Inspect(n.Body, f.inspect)
		f.results = f.results[:len(f.results)-1]
		return false
	case *ast.BlockStmt:
		f.statements(n.List)
	case *ast.CaseClause:
		f.statements(n.Body)
	case *ast.CommClause:
		f.statements(n.Body)
	case *ast.IfStmt:
		f.condition(n.Cond)
	case *ast.SwitchStmt:
		for _, clause := range n.Body.List {
			for _, c := range clause.(*ast.CaseClause).List {
				if n.Tag == nil {
					f.condition(c)
				}
			}
		}
	case *ast.BinaryExpr:
		switch n.Op {
		case token.LAND:
			f.replaceable(n.X, "true")
			f.replaceable(n.Y, "true")
		case token.LOR:
			f.replaceable(n.X, "false")
			f.replaceable(n.Y, "false")
		}
	case *ast.CallExpr:
		if len(n.Args) == 2 && slices.Contains([]string{"min", "max", "cmp.Or"}, f.text(n.Fun)) {
			f.argument(n.Args[0], n.Args[1])
			f.argument(n.Args[1], n.Args[0])
		}
	}
	return true
}

func (f *finder) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.DeclStmt, *ast.LabeledStmt:
		case *ast.AssignStmt:
			_, call := s.Rhs[0].(*ast.CallExpr)
			switch {
			case s.Tok == token.DEFINE:
			case call && len(s.Lhs) == 2 && len(s.Rhs) == 1:
				f.call(s)
			default:
				f.statement(s)
			}
		case *ast.ReturnStmt:
			if len(s.Results) == 1 && f.returnsBool() {
				f.condition(s.Results[0])
			} else {
				f.statement(s)
			}
		default:
			f.statement(s)
		}
	}
}

func (f *finder) statement(n ast.Stmt) {
	f.consider(n, []string{"skipped"}, func(first int) string { return f.skipped(n, first) })
}

func (f *finder) skipped(n ast.Stmt, number int) string {
	return fmt.Sprintf("if brokenRule != %d { %s }", number, f.text(n))
}

func (f *finder) call(n *ast.AssignStmt) {
	x, y := f.text(n.Lhs[0]), f.text(n.Lhs[1])
	f.consider(n, []string{"skipped", "results of the call before"}, func(first int) string {
		return fmt.Sprintf("%s; %s, %s = breakOrder(%d, %s, %s)", f.skipped(n, first), x, y, first+1, x, y)
	})
}

func (f *finder) condition(n ast.Expr) {
	variants := []string{"true", "false"}
	if c, ok := n.(*ast.BinaryExpr); ok && c.Op == token.NEQ && f.text(c.Y) != "nil" {
		if _, literal := c.Y.(*ast.BasicLit); !literal {
			variants = append(variants, f.text(c.X)+" > "+f.text(c.Y))
		}
	}
	f.replaceable(n, variants...)
}

// replaceable considers a condition or an operand that can be replaced by each of the texts. The original is
// evaluated only if it is not replaced.
func (f *finder) replaceable(n ast.Expr, texts ...string) {
	f.consider(n, texts, func(first int) string {
		var broken, unbroken strings.Builder
		for i, text := range texts {
			fmt.Fprintf(&broken, "brokenRule == %d && (%s) || ", first+i, text)
			fmt.Fprintf(&unbroken, "brokenRule != %d && ", first+i)
		}
		return fmt.Sprintf("(%s%s(%s))", &broken, &unbroken, f.text(n))
	})
}

func (f *finder) argument(n, other ast.Expr) {
	f.consider(n, []string{"left out"}, func(first int) string {
		return fmt.Sprintf("breakArgument(%d, %s, %s)", first, f.text(n), f.text(other))
	})
}

func (f *finder) consider(n ast.Node, variants []string, broken func(first int) string) {
	start, end := f.fileSet.Position(n.Pos()), f.fileSet.Position(n.End())
	if start.Line == f.line && end.Line == f.line && (f.found == nil || n.End()-n.Pos() > f.found.End()-f.found.Pos()) {
		f.found = &breakable{n, variants, broken}
	}
}

// returnsBool reports whether the function around returns one value, a bool.
func (f *finder) returnsBool() bool {
	results := f.results[len(f.results)-1]
	return results != nil && len(results.List) == 1 && f.text(results.List[0].Type) == "bool"
}

func (f *finder) offset(p token.Pos) int { return f.fileSet.Position(p).Offset }

func (f *finder) text(n ast.Node) string {
	return string(f.source[f.offset(n.Pos()):f.offset(n.End())])
}
