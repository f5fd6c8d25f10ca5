package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// A release is what one run makes.
type release struct {
	root    string // of the clone
	output  string
	version string
	time    time.Time // of the commit; all files get it
	arches  []string

	written []string // the names of the files in output
}

// A file of an archive or package.
type file struct {
	name string // relative to the root of the archive
	mode fs.FileMode
	data []byte
}

func (r *release) make() error {
	if err := r.identify(); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp("", "novcomet-release-")
	if err != nil {
		return errors.WithStack(err)
	}
	defer os.RemoveAll(temporary)
	if err := r.clear(); err != nil {
		return err
	}
	programs := map[string][]file{}
	for _, arch := range r.arches {
		if programs[arch], err = r.build(temporary, arch); err != nil {
			return err
		}
	}
	documents, err := r.documents()
	if err != nil {
		return err
	}
	pages, err := r.manual(temporary)
	if err != nil {
		return err
	}
	for _, arch := range r.arches {
		all := slices.Concat(programs[arch], documents, pages)
		name := fmt.Sprintf("novcomet_%s_linux_%s", r.version, arch)
		if err := r.write(name+".tar.gz", func() ([]byte, error) { return r.archive(name, all) }); err != nil {
			return err
		}
		if err := r.packages(temporary, arch, all); err != nil {
			return err
		}
		if err := r.boms(temporary, arch); err != nil {
			return err
		}
	}
	name := "novcomet-" + r.version + ".tgz"
	if err := r.write(name, r.npm); err != nil {
		return err
	}
	return r.writeSums()
}

// write writes a file of the release.
func (r *release) write(name string, content func() ([]byte, error)) error {
	data, err := content()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r.written = append(r.written, name)
	return errors.WithStack(os.WriteFile(filepath.Join(r.output, name), data, 0o644))
}

const sums = "SHA256SUMS"

// writeSums writes the checksums, in the form of sha256sum. It prints the paths of the files.
func (r *release) writeSums() error {
	var text strings.Builder
	for _, name := range slices.Sorted(slices.Values(r.written)) {
		path, err := filepath.Abs(filepath.Join(r.output, name))
		if err != nil {
			return errors.WithStack(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return errors.WithStack(err)
		}
		fmt.Println(path)
		fmt.Fprintf(&text, "%x  %s\n", sha256.Sum256(data), name)
	}
	return errors.WithStack(os.WriteFile(filepath.Join(r.output, sums), []byte(text.String()), 0o644))
}

// clear makes the output directory, and removes the files of an earlier release, so that a pattern such as
// dist/*.deb names those of this one.
func (r *release) clear() error {
	if err := os.MkdirAll(r.output, 0o755); err != nil {
		return errors.WithStack(err)
	}
	earlier, err := filepath.Glob(filepath.Join(r.output, `novcomet[\-_]*`))
	if err != nil {
		return errors.WithStack(err)
	}
	for _, path := range earlier {
		if err := os.Remove(path); err != nil {
			return errors.WithStack(err)
		}
	}
	return nil
}
