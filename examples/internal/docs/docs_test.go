package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"novcomet/examples/internal/docs"
)

// A repository is what the texts are compared with.
type repository struct {
	root      string
	functions map[string]bool // TestX, FuzzX and BenchmarkX of all modules
	keys      map[string]bool // of comet.yaml, groups included
	sources   string          // the Go sources without their tests
}

// A check returns what is wrong with a text, as "line: what".
type check func(repository, *docs.Page) []string

var checks = map[string]check{
	"length":      tooLong,
	"links":       brokenLinks,
	"tests":       missingTests,
	"keys":        missingKeys,
	"commands":    missingFiles,
	"code blocks": badBlocks,
	"words":       forbiddenWords,
}

func TestTexts(t *testing.T) {
	root, err := docs.Root()
	if err != nil {
		t.Fatal(err)
	}
	r := open(t, root)
	texts, err := docs.Files(root, ".md")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		page, err := docs.Read(filepath.Join(root, text))
		if err != nil {
			t.Fatal(err)
		}
		for name, check := range checks {
			t.Run(text+"/"+name, func(t *testing.T) {
				for _, problem := range check(r, page) {
					t.Errorf("%s:%s", text, problem)
				}
			})
		}
	}
}

func open(t *testing.T, root string) repository {
	t.Helper()
	r := repository{root: root, functions: map[string]bool{}, keys: map[string]bool{}}
	names, err := docs.Files(root, ".go")
	if err != nil {
		t.Fatal(err)
	}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w*)\(`)
	var sources strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.go") {
			sources.Write(text)
			continue
		}
		for _, match := range function.FindAllSubmatch(text, -1) {
			r.functions[string(match[1])] = true
		}
	}
	r.sources = sources.String()
	text, err := os.ReadFile(filepath.Join(root, "conf", "comet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var settings map[string]any
	if err := yaml.Unmarshal(text, &settings); err != nil {
		t.Fatal(err)
	}
	addKeys(r.keys, "", settings)
	return r
}

func addKeys(keys map[string]bool, prefix string, settings map[string]any) {
	for key, value := range settings {
		keys[prefix+key] = true
		if group, ok := value.(map[string]any); ok {
			addKeys(keys, prefix+key+".", group)
		}
	}
}

func problem(line int, format string, args ...any) string {
	return fmt.Sprintf("%d: %s", line, fmt.Sprintf(format, args...))
}

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

// Links. A path that begins with "/" and a scheme lead elsewhere.
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

func missingTests(r repository, p *docs.Page) (problems []string) {
	name := regexp.MustCompile(`\b(Test|Fuzz|Benchmark)[A-Z_]\w*`)
	for i, line := range p.Lines {
		for _, found := range name.FindAllString(line, -1) {
			if !r.functions[found] {
				problems = append(problems, problem(i+1, "%s: there is no such test", found))
			}
		}
	}
	return problems
}

var (
	removed  = []string{"max_streams", "data.max_answer", "memcached.timeout", "redis.timeout", "memcached.prefix", "redis.prefix", "subscribe.secret", "redis.password", "redis.db"}
	keySpan  = regexp.MustCompile(`^([a-z_]+)\.[a-z_]+$`)
	variable = regexp.MustCompile(`\bCOMET_[A-Z][A-Z_]*\b`)
	fileName = regexp.MustCompile(`\.(go|md|js|mjs|ts|html|css|svg|php|py|sh|lua|conf|yaml|service|socket|caddy|cgi|comet)$`)
)

func missingKeys(r repository, p *docs.Page) (problems []string) {
	exists := func(key string) bool {
		return r.keys[key] || filepath.Base(p.Path) == "CHANGELOG.md" && slices.Contains(removed, key)
	}
	for _, span := range p.Spans {
		key, _, _ := strings.Cut(span.Text, ":") // `tries: 20`
		if group := keySpan.FindStringSubmatch(key); group != nil && r.keys[group[1]] && !exists(key) && !fileName.MatchString(key) {
			problems = append(problems, problem(span.Line, "%s: there is no such key", key))
		}
	}
	for _, cell := range p.Cells {
		if cell.Column != "key" {
			continue
		}
		for _, key := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell.Text, -1) {
			if !exists(key[1]) {
				problems = append(problems, problem(cell.Line, "%s: there is no such key", key[1]))
			}
		}
	}
	for i, line := range p.Lines {
		for _, name := range variable.FindAllString(line, -1) {
			key := strings.ToLower(strings.TrimPrefix(name, "COMET_"))
			known := strings.Contains(r.sources, `"`+name+`"`)
			for k := range r.keys {
				known = known || strings.ReplaceAll(k, ".", "_") == key
			}
			if !known {
				problems = append(problems, problem(i+1, "%s: there is no such variable", name))
			}
		}
	}
	for _, block := range p.Blocks {
		var settings map[string]any
		if block.Language != "yaml" || yaml.Unmarshal([]byte(strings.Join(block.Lines, "\n")), &settings) != nil {
			continue
		}
		keys := map[string]bool{}
		addKeys(keys, "", settings)
		ours := false
		for key := range settings {
			ours = ours || r.keys[key]
		}
		for key := range keys {
			if ours && !r.keys[key] {
				problems = append(problems, problem(block.Line, "%s: there is no such key", key))
			}
		}
	}
	return problems
}

// Packages and files of the repository that command blocks and code spans name.
func missingFiles(r repository, p *docs.Page) (problems []string) {
	verify := func(line int, command string) {
		for _, word := range missing(r.root, command) {
			problems = append(problems, problem(line, "%s: %s is not in the repository", command, word))
		}
	}
	for _, block := range p.Blocks {
		if block.Commands() {
			for i, line := range block.Lines {
				verify(block.Line+i, line)
			}
		}
	}
	for _, span := range p.Spans {
		if strings.HasPrefix(span.Text, "go ") || !strings.Contains(span.Text, " ") {
			verify(span.Line, span.Text)
		}
	}
	return problems
}

// missing returns the words of a command that name no package or file of the repository, although they should.
func missing(root, command string) (words []string) {
	command, _, _ = strings.Cut(command, " #")
	fields := strings.FieldsFunc(command, func(r rune) bool { return strings.ContainsRune(" '\"`();&|<>=,", r) })
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
		case below && first != "" && slices.Contains([]string{".ci", ".github", "cgi", "fcgi", "core", "conf", "examples"}, first):
			if found, err := filepath.Glob(filepath.Join(root, word)); err != nil || len(found) == 0 {
				words = append(words, word)
			}
		}
	}
	return words
}

// hasGo reports whether a directory, or with tree one below it, has a Go file.
func hasGo(dir string, tree bool) bool {
	if tree {
		files, err := docs.Files(dir, ".go")
		return err == nil && len(files) > 0
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.go"))
	return err == nil && len(found) > 0
}

func badBlocks(r repository, p *docs.Page) (problems []string) {
	known := []string{"after", "alternative", "append", "file", "insert", "not run"}
	for i, line := range p.Lines {
		if note := regexp.MustCompile(`^\s*<!--\s*([a-z ]*)`).FindStringSubmatch(line); note != nil && !slices.Contains(known, strings.TrimSpace(note[1])) {
			problems = append(problems, problem(i+1, "%s: the note is none of %q", line, known))
		}
	}
	for _, heading := range p.Headings {
		if after, found := docs.Find(heading.Notes, "after"); found {
			fromRoot := &docs.Page{Path: filepath.Join(r.root, "README.md"), Links: []docs.Link{{Line: heading.Line, Target: after}}}
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

func forbiddenWords(_ repository, p *docs.Page) (problems []string) {
	forbidden := regexp.MustCompile(`(?i)\b(told|whoever|as\s+shipped|tells\s+of|what\s+is\s+no(ne)?)\b`)
	text := strings.Join(p.Lines, "\n")
	for _, found := range forbidden.FindAllStringIndex(text, -1) {
		problems = append(problems, problem(1+strings.Count(text[:found[0]], "\n"), "%q", text[found[0]:found[1]]))
	}
	return problems
}

// Each check accepts a text, and finds what is wrong with another one.
func TestChecks(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"conf/comet.yaml":    "tries: 20\nfile:\n  directory: /dev/shm\n",
		"conf/conf_test.go":  "package conf\n\nfunc TestLoad(t *testing.T) {\n",
		"conf/location.go":   "package conf\n\nconst user = \"COMET_USER\"\n",
		"examples/test.sh":   "",
		"examples/README.md": "# Files to copy\n\n## nginx & Apache\n\n## Twice\n\n## Twice\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := open(t, root)
	const lines = "a\n"
	for name, texts := range map[string]struct {
		path   string
		right  string
		wrongs []string
	}{
		"length": {"README.md", strings.Repeat(lines, 160), []string{strings.Repeat(lines, 161)}},
		"links": {
			"core/README.md",
			"# Stores\n[a](../conf/comet.yaml), [b](../examples/README.md#nginx--apache), [c](../examples/#twice-1), [d](#stores), <https://example.com/x>, `[e](none)`",
			[]string{"[a](none.md)", "![a](none.svg)", `<img src="none.svg">`, "[a]: none.md", "[a](#none)", "[a](../examples/README.md#apache)", "[a](../examples#twice-2)", "[a](../../x)"},
		},
		"tests": {"README.md", "TestLoad, Testing, FuzzyX", []string{"TestGone", "| a | TestLoad, FuzzGone |", "    BenchmarkGone"}},
		"keys": {
			"README.md",
			"`tries`, `file.directory`, `file.directory: /run`, `file.go`, `core.Files`, COMET_USER, `COMET_FILE_DIRECTORY`\n\n| | key |\n|---|---|\n| a | `tries` |\n\n```yaml\nfile:\n  directory: /run\n```\n\n```yaml\nservices:\n  tries: 1\n```",
			[]string{"`file.dir`", "`file.dir: x`", "`COMET_FILE_DIR`", "COMET_FILE_DIR=x", "|a|key|\n|-|-|\n|b|`dir`|", "```yaml\nfile:\n  dir: x\n```", "`redis.timeout`\n\n`file.timeout`"},
		},
		"commands": {
			"README.md",
			"    go build -o comet ./conf\n    go -C conf test ./...\n    go test ./... # ./none\n    sudo install conf/comet.yaml /etc\n    go run example.com/x@v1\n\n`examples/test.sh`, `conf/`, `/etc/none`, `conf and core/none`",
			[]string{"    go test ./none", "```sh\ngo run ./examples\n```", "    go -C examples test .", "    go -C conf test ./none", "    examples/none.sh", "`go run ./none`", "`examples/none.sh`", "    cp examples/*.none /etc"},
		},
		"code blocks": {
			"README.md",
			"# A\n<!-- after: examples/README.md#twice -->\n\n<!-- not run: it takes an hour -->\n\n    sleep 1h\n\n```text\nx\n```",
			[]string{"```\nx\n```", "<!-- not run -->\n\n    sleep 1h", "<!-- unknown: x -->", "# A\n<!-- after: none.md -->", "# A\n<!-- after: examples/README.md#none -->"},
		},
		"words": {"README.md", "what is not trusted, tolding", []string{"It is told.", "Whoever", "as\nshipped", "tells of", "what is none"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(root, texts.path)
			if problems := checks[name](r, docs.Parse(path, texts.right)); len(problems) > 0 {
				t.Errorf("%q: %q", texts.right, problems)
			}
			for _, wrong := range texts.wrongs {
				if problems := checks[name](r, docs.Parse(path, wrong)); len(problems) != 1 {
					t.Errorf("%q: %q; want one problem", wrong, problems)
				}
			}
		})
	}
	t.Run("CHANGELOG.md names removed keys", func(t *testing.T) {
		page := docs.Parse(filepath.Join(root, ".github", "CHANGELOG.md"), "`file.dir`, `redis.timeout`")
		if problems := missingKeys(r, page); len(problems) != 1 || !strings.Contains(problems[0], "file.dir") {
			t.Errorf("%q", problems)
		}
	})
}

func TestParse_Blocks(t *testing.T) {
	const text = "# A\n\n    one\n\n    two\n\nProse\n    goes on.\n- item\n\n    more of the item\n\n      in the item\n\nEnd.\n\n" +
		"<!-- not run: why -->\n```sh\nthree\n    four\n```\n\n## B\n<!-- alternative -->\n\n```go\n# no heading\n```\n"
	page := docs.Parse("README.md", text)
	type block struct {
		line              int
		heading, language string
		commands          bool
		text              string
		notes             int
	}
	var got []block
	for _, b := range page.Blocks {
		got = append(got, block{b.Line, b.Heading, b.Language, b.Commands(), strings.Join(b.Lines, "\n"), len(b.Notes)})
	}
	want := []block{
		{3, "A", "", true, "one\n\ntwo", 0},
		{13, "A", "", true, "in the item", 0},
		{19, "A", "sh", true, "three\n    four", 1},
		{27, "B", "go", false, "# no heading", 1},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if reason, found := docs.Find(page.Blocks[2].Notes, "not run"); reason != "why" || !found {
		t.Errorf("the note says %q, %v", reason, found)
	}
	if len(page.Headings) != 2 || len(page.Headings[0].Notes) != 0 || len(page.Headings[1].Notes) != 1 {
		t.Errorf("headings %+v", page.Headings)
	}
}

func TestSlug(t *testing.T) {
	for heading, slug := range map[string]string{
		"Several users, /dev/shm and containers": "several-users-devshm-and-containers",
		"Is it all right?":                       "is-it-all-right",
		"nginx & Apache":                         "nginx--apache",
		"max_waiting":                            "max_waiting",
		"Überblick":                              "überblick",
	} {
		if got := docs.Slug(heading); got != slug {
			t.Errorf("Slug(%q) = %q, want %q", heading, got, slug)
		}
	}
}
