package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The texts also name source code, which a release does not have: files of Go or Python, workflows of GitHub,
// and directories.
func TestDocuments_LinkToEachOther(t *testing.T) {
	_, dir := shell(t, `tar -xzf "$1" --strip-components 1`, one(t, "*_linux_amd64.tar.gz"))
	code, link := regexp.MustCompile("`[^`]*`"), regexp.MustCompile(`\]\(([^)]+)\)|(?:src|srcset)="([^"]+)"`)
	source := regexp.MustCompile(`^[a-z]+:|\.(go|py|yml)$|/$`)
	found := 0
	for path := range tree(t, dir) {
		if filepath.Ext(path) != ".md" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			target, _, _ := strings.Cut(match[1]+match[2], "#")
			if source.MatchString(target) {
				continue
			}
			found++
			if _, err := os.Stat(filepath.Join(dir, filepath.Dir(path), target)); err != nil {
				t.Errorf("%s links to %s: %v", path, target, err)
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d links", found)
	}
}

func TestTracked_HasNoOtherFiles(t *testing.T) {
	const files = "mkdir examples; touch examples/a 'examples/ü'; git add examples; touch examples/a~ b; "
	r := release{root: repository(t, files+"echo '*.b' >.gitignore; touch examples/a.b")}
	got, err := r.tracked("examples")
	if want := map[string]bool{"examples/a": true, "examples/ü": true, "": true}; err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	r = release{root: repository(t, files+"rm -r .git")}
	if got, err := r.tracked("examples"); got != nil || err != nil {
		t.Errorf("without a repository: %v, %v", got, err)
	}
}
