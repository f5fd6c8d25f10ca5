package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// repository makes a clone whose changelog begins with 0.2.0, with one commit of 2026-11-29, and runs a
// script in it.
func repository(t *testing.T, script string) string {
	t.Helper()
	_, root := shell(t, `git init -q; mkdir .github
		printf '# Changelog\n\n## 0.2.0, unreleased\n\n## 0.1.0\n' >.github/CHANGELOG.md
		git config user.name a; git config user.email a@localhost
		git add .; GIT_COMMITTER_DATE=2026-11-29T12:00:00Z git commit -qm first
		`+script, "")
	return root
}

func TestVersion_IsTheTagOrOneBeforeTheNext(t *testing.T) {
	const development = `^0\.2\.0-dev\.20261129120000\+[0-9a-f]{12}`
	const newer = `^0\.2\.0-dev\.20261129120001\+[0-9a-f]{12}$`
	const later = "git tag v0.2.0; GIT_COMMITTER_DATE=2026-11-29T12:00:01Z git commit -q --allow-empty -m second"
	for script, want := range map[string]string{
		"":                    development + "$",
		"git tag v0.2.0":      `^0\.2\.0$`,
		"git tag v0.2.0-rc.1": `^0\.2\.0-rc\.1$`,
		"git tag other":       development + "$",
		"git tag v0.3.0":      `the tag is v0\.3\.0, but the first version in CHANGELOG\.md is 0\.2\.0`,
		"git tag v0.2.0-rc-1": `give one such as`,
		"echo >>.github/CHANGELOG.md; git tag v0.2.0": development + `\.changed$`,
		"touch new; git tag v0.2.0":                   development + `\.changed$`,
		"git tag v0.2.0-rc.1; git tag v0.2.0":         `^0\.2\.0$`,
		later:                                         newer,
		later + "; git clone -q --depth 1 file://$PWD x; rm -r .git; mv x/.git .; rm -r x": newer,
		"echo none >.github/CHANGELOG.md":                                                  `has no line such as ## 0\.2\.0`,
		"rm -rf .git":                                                                      `^0\.2\.0-dev$`,
	} {
		r := release{root: repository(t, script)}
		err := r.identify()
		got := r.version
		if err != nil {
			got = err.Error()
		}
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s: %q, want %s", script, got, want)
		}
	}
}

func TestTime_IsThatOfTheCommitOrOfTheArchive(t *testing.T) {
	for name, want := range map[string]string{
		"commit": "2026-11-29T12:00:00Z", "archive": "2026-11-28T00:00:00Z", "variable": "1970-01-01T00:01:00Z",
	} {
		t.Run(name, func(t *testing.T) {
			root := repository(t, "")
			switch name {
			case "archive":
				date := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
				if err := os.Chtimes(filepath.Join(root, ".github", "CHANGELOG.md"), date, date); err != nil {
					t.Fatal(err)
				}
				if err := os.RemoveAll(filepath.Join(root, ".git")); err != nil {
					t.Fatal(err)
				}
			case "variable":
				t.Setenv("SOURCE_DATE_EPOCH", "60")
			}
			r := release{root: root}
			if err := r.identify(); err != nil || r.time.Format(time.RFC3339) != want {
				t.Errorf("%v, %v; want %s", r.time, err, want)
			}
		})
	}
}

func TestVersion_OfTheFlagIsChecked(t *testing.T) {
	root := repository(t, "")
	for _, version := range []string{"1.2.3", "1.2.3-rc.1", "1.2.3+a"} {
		if err := (&release{root: root, version: version}).identify(); err != nil {
			t.Errorf("%s: %v", version, err)
		}
	}
	for _, version := range []string{"v1.2.3", "1.2", "1.2.3-rc-1", "1.2.3 ", strings.Repeat("1", 9)} {
		if err := (&release{root: root, version: version}).identify(); err == nil {
			t.Errorf("%s: no error", version)
		}
	}
}
