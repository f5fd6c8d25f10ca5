// Package conftest damages settings files for the tests of the programs. No damage may let anybody publish.
package conftest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"
)

// Closed returns a settings file with which nobody may publish by URL.
func Closed(directory string) string {
	return "tries: 1\nsleep: 10ms\nfile:\n  directory: " + directory + "\npublish:\n  allow: none\n"
}

// Damage is a way in which a settings file is lost or damaged.
type Damage struct {
	Name string
	Do   func(path string) error // to a file that Closed returned

	// UnseenAtStart is true if a program that starts with the file cannot notice the damage. A reload must
	// notice it.
	UnseenAtStart bool
}

// Damages returns all kinds of damage.
func Damages() []Damage {
	return []Damage{
		{Name: "missing", Do: os.Remove},
		{Name: "0 bytes", Do: func(path string) error { return os.Truncate(path, 0) }},
		{Name: "cut after allow:", Do: func(path string) error { return cut(path, "  allow:", len("  allow:")) }},
		{Name: "cut at a line end", Do: func(path string) error { return cut(path, "publish:", 0) },
			UnseenAtStart: true},
		{Name: "a link that leads nowhere", Do: func(path string) error {
			return replace(path, func() error { return os.Symlink(filepath.Join(filepath.Dir(path), "missing"), path) })
		}},
		{Name: "unreadable", Do: func(path string) error { return os.Chmod(path, 0) }},
		{Name: "a directory", Do: func(path string) error {
			return replace(path, func() error { return os.Mkdir(path, 0o755) })
		}},
	}
}

// cut shortens the file: it ends that many bytes after the beginning of the words.
func cut(path, words string, after int) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return errors.WithStack(err)
	}
	at := strings.Index(string(text), words)
	if at < 0 {
		return fmt.Errorf("%s has no %q", path, words)
	}
	return errors.WithStack(os.Truncate(path, int64(at+after)))
}

// replace removes the file and creates something else in its place.
func replace(path string, create func() error) error {
	if err := os.Remove(path); err != nil {
		return errors.WithStack(err)
	}
	return errors.WithStack(create())
}
