package docs_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"novcomet/examples/internal/docs"
)

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

func TestMissingTests(t *testing.T) {
	testCheck(t, "tests", "README.md", "TestLoad, Testing, FuzzyX",
		"TestGone", "| a | TestLoad, FuzzGone |", "    BenchmarkGone")
}

// removedKeys are keys that CHANGELOG.md may name.
var removedKeys = []string{
	"max_streams", "data.max_answer", "memcached.timeout", "redis.timeout", "memcached.prefix", "redis.prefix",
	"subscribe.secret", "redis.password", "redis.db",
}

var (
	codeSpan = regexp.MustCompile("`([^`]+)`")
	keySpan  = regexp.MustCompile(`^([a-z_]+)\.[a-z_]+$`)
	variable = regexp.MustCompile(`\bCOMET_[A-Z][A-Z_]*\b`)
	fileName = regexp.MustCompile(
		`\.(go|md|m?js|ts|html|css|svg|php|py|sh|lua|conf|yaml|service|socket|caddy|cgi|comet)$`)
)

// missingKeys checks keys in code spans, in tables with a column "key" and in blocks of YAML, and all
// variables.
func missingKeys(r repository, p *docs.Page) (problems []string) {
	check := func(line int, key string) {
		removed := filepath.Base(p.Path) == "CHANGELOG.md" && slices.Contains(removedKeys, key)
		if !r.keys[key] && !removed {
			problems = append(problems, problem(line, "%s: there is no such key", key))
		}
	}
	for _, span := range p.Spans {
		key, _, _ := strings.Cut(span.Text, ":") // `tries: 20`
		if group := keySpan.FindStringSubmatch(key); group != nil && r.keys[group[1]] && !fileName.MatchString(key) {
			check(span.Line, key)
		}
	}
	for _, cell := range p.Cells {
		if cell.Column == "key" {
			for _, key := range codeSpan.FindAllStringSubmatch(cell.Text, -1) {
				check(cell.Line, key[1])
			}
		}
	}
	for _, block := range p.Blocks {
		var settings map[string]any
		if block.Language != "yaml" || yaml.Unmarshal([]byte(strings.Join(block.Lines, "\n")), &settings) != nil {
			continue
		}
		ours := false
		for key := range settings {
			ours = ours || r.keys[key]
		}
		keys := map[string]bool{}
		addKeys(keys, "", settings)
		for key := range keys {
			if ours {
				check(block.Line, key)
			}
		}
	}
	for i, line := range p.Lines {
		for _, name := range variable.FindAllString(line, -1) {
			if !r.hasVariable(name) {
				problems = append(problems, problem(i+1, "%s: there is no such variable", name))
			}
		}
	}
	return problems
}

// hasVariable reports whether COMET_X sets a key, or is a string in the sources.
func (r repository) hasVariable(name string) bool {
	known := strings.Contains(r.sources, `"`+name+`"`)
	for key := range r.keys {
		known = known || "COMET_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_")) == name
	}
	return known
}

func TestMissingKeys(t *testing.T) {
	const right = "`tries`, `file.directory`, `file.directory: /run`, `file.go`, `core.Files`, COMET_USER\n" +
		"`COMET_FILE_DIRECTORY`\n\n| | key |\n|---|---|\n| a | `tries` |\n\n" +
		"```yaml\nfile:\n  directory: /run\n```\n\n```yaml\nservices:\n  tries: 1\n```"
	testCheck(t, "keys", "README.md", right,
		"`file.dir`",
		"`file.dir: x`",
		"`COMET_FILE_DIR`",
		"COMET_FILE_DIR=x",
		"|a|key|\n|-|-|\n|b|`dir`|",
		"```yaml\nfile:\n  dir: x\n```",
		"`redis.timeout`\n\n`file.timeout`")
	changelog := "|key|\n|-|\n|`redis.timeout`|"
	testCheck(t, "keys", ".github/CHANGELOG.md", changelog, "`file.dir`, `redis.timeout`")
	testCheck(t, "keys", "README.md", "", changelog)
}
