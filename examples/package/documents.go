package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// texts are the other documents of a release, besides the examples, and their pictures. They keep the paths
// of the repository, so that their links work. Only links to source code do not.
var texts = []string{
	"LICENSE", "README.md", ".github/CHANGELOG.md", ".github/CONTRIBUTING.md", ".github/SECURITY.md",
	".github/demo-dark.png", ".github/demo-light.png", ".github/overview.svg",
	"cgi/README.md", "fcgi/README.md", "conf/README.md", "conf/comet.yaml", "core/README.md",
	"core/store/memcached/README.md", "core/store/redis/README.md", "core/store/redis/publish.lua",
	"examples/bench/README.md", "examples/bench/chart.svg", "examples/package/README.md",
}

// developing are the directories below examples that users do not need.
var developing = []string{"bench", "demo", "e2e", "internal", "package"}

// documents returns the licences, the manuals and the examples.
func (r *release) documents() ([]file, error) {
	licences, err := r.licences()
	if err != nil {
		return nil, err
	}
	all := []file{licences}
	add := func(name string) error {
		data, err := os.ReadFile(filepath.Join(r.root, name))
		if err != nil {
			return errors.WithStack(err)
		}
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(string(data), "#!") { // The umask of a clone can change the mode.
			mode = 0o755
		}
		all = append(all, file{name, mode, data})
		return nil
	}
	for _, name := range texts {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	tracked, err := r.tracked("examples")
	if err != nil {
		return nil, err
	}
	// WalkDir sorts the names.
	err = filepath.WalkDir(filepath.Join(r.root, "examples"), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && slices.Contains(developing, e.Name()) {
			return fs.SkipDir
		}
		if e.IsDir() || filepath.Ext(path) == ".go" || filepath.Base(path) == "test.sh" || filepath.Base(path) == "long.sh" {
			return nil
		}
		name, err := filepath.Rel(r.root, path)
		if err != nil {
			return err
		}
		if tracked != nil && !tracked[name] {
			return nil
		}
		return add(name)
	})
	return all, err
}

// tracked returns the files of the repository in a directory, or nil if there is no repository. Other files,
// such as those of an editor, are in no release.
func (r *release) tracked(directory string) (map[string]bool, error) {
	if !r.hasRepository() {
		return nil, nil
	}
	output, err := r.git("ls-files", "-z", directory)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for name := range strings.SplitSeq(output, "\x00") {
		names[name] = true
	}
	return names, nil
}
