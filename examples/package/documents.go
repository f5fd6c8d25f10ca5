package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// texts are those of a release beside the examples. Links between them and to the examples work.
var texts = []string{
	"LICENSE", "README.md", "cgi/README.md", "fcgi/README.md", "conf/README.md", "conf/comet.yaml", "core/README.md",
	"core/store/memcached/README.md", "core/store/redis/README.md",
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
	add := func(source, name string) error {
		data, err := os.ReadFile(filepath.Join(r.root, source))
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
	if err := add(".github/CHANGELOG.md", "CHANGELOG.md"); err != nil {
		return nil, err
	}
	for _, name := range texts {
		if err := add(name, name); err != nil {
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
		return add(name, name)
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
