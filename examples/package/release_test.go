package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

const version = "1.2.3-rc.1"

// shared is a release that all tests use.
var shared struct {
	sync.Mutex
	clone string
}

func TestMain(m *testing.M) {
	status := m.Run()
	if shared.clone != "" {
		os.RemoveAll(shared.clone)
	}
	os.Exit(status)
}

// dist returns the directory of the shared release.
func dist(t *testing.T) string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.clone == "" {
		clone, err := os.MkdirTemp("", "novcomet-release-test-")
		if err != nil {
			t.Fatal(err)
		}
		shared.clone = clone
		makeIn(t, clone, "")
	}
	return filepath.Join(shared.clone, "dist")
}

// makeIn copies the files that git lists to a directory, runs a script, and makes a release there. The copy
// has no repository.
func makeIn(t *testing.T, clone, script string) {
	t.Helper()
	shell(t, `cd "$OLDPWD/../.." && git ls-files -z --cached --others --exclude-standard |
		tar --null --ignore-failed-read -T - -cf - 2>/dev/null | tar -xf - -C "$1"
		cd "$1/examples/package"
		`+script+`
		SOURCE_DATE_EPOCH=1795941560 go run . --version `+version, clone)
}

// shell runs a script in a new directory. $1 is the argument, $OLDPWD the directory of this package. It
// returns the output and the new directory.
func shell(t *testing.T, script, argument string) (output, dir string) {
	t.Helper()
	dir = t.TempDir()
	script = "set -e -o pipefail\ncd '" + dir + "'\n" + script
	text, err := exec.Command("bash", "-c", script, "bash", argument).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", script, err, text)
	}
	return string(text), dir
}

// one returns the file of the release that matches a pattern.
func one(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dist(t), pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %q, %v", pattern, found, err)
	}
	return found[0]
}

// tree returns the path of each file below a directory, with its mode and a checksum.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, root)] = fmt.Sprintf("%v %x", info.Mode(), sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestRelease_IsTheSameForAnotherUserInAnotherFolder(t *testing.T) {
	clone := filepath.Join(t.TempDir(), "another folder")
	if err := os.Mkdir(clone, 0o755); err != nil {
		t.Fatal(err)
	}
	makeIn(t, clone, `export GOCACHE="$(go env GOCACHE)" GOMODCACHE="$(go env GOMODCACHE)" GOENV="$1/env" GOFLAGS=
		echo GOFLAGS=-gcflags=-N >"$GOENV" # as go env -w does
		export HOME="$1" TZ=Asia/Tokyo LC_ALL=C
		umask 077`)
	shell(t, `chmod 644 "$1"/*`, filepath.Join(clone, "dist"))
	if a, b := tree(t, dist(t)), tree(t, filepath.Join(clone, "dist")); !maps.Equal(a, b) {
		t.Errorf("%q\n%q", a, b)
	}
}

func TestRelease_HasEachFormatForEachArchitecture(t *testing.T) {
	for _, pattern := range []string{
		"*_linux_amd64.tar.gz", "*_linux_arm64.tar.gz", "*_amd64.deb", "*_arm64.deb",
		"*.x86_64.rpm", "*.aarch64.rpm", "*.tgz",
	} {
		if name := filepath.Base(one(t, pattern)); regexp.MustCompile(`[^A-Za-z0-9_.+-]`).MatchString(name) {
			t.Errorf("GitHub would rename %s", name)
		}
	}
}

func TestSums_AreThoseOfAllFiles(t *testing.T) {
	output, _ := shell(t, `cd "$1" && sha256sum --check --strict SHA256SUMS`, dist(t))
	if got, want := strings.Count(output, ": OK\n"), len(tree(t, dist(t)))-1; got != want {
		t.Errorf("%d checksums, want %d", got, want)
	}
}

// Packaging is a module of its own, so that a program that embeds core does not need its modules.
func TestRootModule_HasNoneOfTheModulesOfPackaging(t *testing.T) {
	shell(t, `cd "$OLDPWD/../.." && ! grep -E 'goreleaser|CycloneDX' go.mod go.sum`, "")
}
