package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"novcomet/examples/internal/docs"
)

// brokenLinks checks links to files and headings of the repository. It does not follow URLs.
func brokenLinks(r repository, p *docs.Page) (problems []string) {
	scheme := regexp.MustCompile(`^[a-z]+:`)
	for _, link := range p.Links {
		if scheme.MatchString(link.Target) {
			continue
		}
		path, anchor, _ := strings.Cut(link.Target, "#")
		target := p
		if path != "" {
			file := filepath.Join(filepath.Dir(p.Path), path)
			info, err := os.Stat(file)
			if err != nil || !strings.HasPrefix(file, r.root) {
				problems = append(problems, problem(link.Line, "link to %s: there is no such file", link.Target))
				continue
			}
			if anchor == "" {
				continue
			}
			if info.IsDir() {
				file = filepath.Join(file, "README.md")
			}
			if target, err = docs.Read(file); err != nil {
				problems = append(problems, problem(link.Line, "link to %s: %v", link.Target, err))
				continue
			}
		}
		if !slices.ContainsFunc(target.Headings, func(h docs.Heading) bool { return h.Slug == anchor }) {
			problems = append(problems, problem(link.Line, "link to %s: there is no such heading", link.Target))
		}
	}
	return problems
}

func TestBrokenLinks(t *testing.T) {
	const right = "# Stores\n[a](../conf/comet.yaml), [b](../examples/README.md#nginx--apache), " +
		"[c](../examples/#twice-1), [d](#stores), <https://example.com/x>, `[e](none)`"
	testCheck(t, "links", "core/README.md", right,
		"[a](none.md)",
		"![a](none.svg)",
		`<img src="none.svg">`,
		"[a]: none.md",
		"[a](#none)",
		"[a](../examples/README.md#apache)",
		"[a](../examples#twice-2)",
		"[a](../../x)")
}
