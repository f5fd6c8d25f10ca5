package main

import (
	"encoding/json"
	"errors"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"

	pkgerrors "github.com/pkg/errors"
)

// npm returns the browser client as npm pack would make it: package.json, with the version of the release,
// the files that it names, README.md and LICENSE. npm itself is not needed.
func (r *release) npm() ([]byte, error) {
	root := filepath.Join(r.root, "examples", "browser")
	manifest, err := os.ReadFile(filepath.Join(root, "package.json"))
	if err != nil {
		return nil, pkgerrors.WithStack(err)
	}
	var content struct {
		Version string
		Files   []string
	}
	if err := json.Unmarshal(manifest, &content); err != nil {
		return nil, pkgerrors.Wrap(err, "package.json")
	}
	if len(content.Files) == 0 {
		return nil, errors.New("package.json has no files")
	}
	version := regexp.MustCompile(`("version"\s*:\s*)"[^"]*"`)
	if len(version.FindAll(manifest, -1)) != 1 {
		return nil, errors.New("package.json does not have one version")
	}
	files := []file{{"package.json", 0o644, version.ReplaceAll(manifest, []byte(`${1}"`+r.version+`"`))}}
	for _, name := range slices.Sorted(slices.Values(append(content.Files, "README.md", "LICENSE"))) {
		name = path.Clean(name)
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return nil, pkgerrors.WithStack(err)
		}
		files = append(files, file{name, 0o644, data})
	}
	return r.archive("package", files)
}
