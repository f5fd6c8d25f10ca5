package conf

import (
	"bytes"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/pkg/errors"
)

// Source says where the configuration comes from. The zero Source is the defaults and the comet.yaml beside the program
// or in /etc/novcomet.
type Source struct {
	// File is the file that --config names. If File is empty, the first of these is read: the file that COMET_CONFIG names,
	// comet.yaml beside the program, /etc/novcomet/comet.yaml. A file that is named must exist; [os.DevNull] means no file.
	// Without a name there may be no file.
	File string

	// Environ is the environment, as [os.Environ] gives it. Every COMET_* in it must be known.
	Environ []string

	// Flags has the keys set on the command line: "listen" for --listen. An empty value is a value.
	Flags map[string]string
}

const (
	prefix     = "COMET_"
	namesFile  = "COMET_CONFIG" // the only COMET_* of the environment that is not a key
	fileName   = "comet.yaml"
	systemFile = "/etc/novcomet/" + fileName
	maxFile    = 1 << 20 // bytes, so that a mistyped --config does not read a disk into memory
)

// A layer is the values of one place, by key; each is a string, or a list of strings as []any.
type layer struct {
	origin func(key string) string // the place where the key is set, as messages name it
	values map[string]any
}

// shipped is the layer of the defaults.
//
// comet.cgi reads them for each request. The comments are removed first: they are most of the text, and the YAML library
// spends most of its time on them. (In comet.yaml a line that begins with # is always a comment. In another file it may be
// a part of a value.)
func shipped() layer {
	values, err := parse(withoutComments(YAML))
	if err != nil {
		panic("conf: the shipped " + fileName + ": " + err.Error())
	}
	return layer{func(string) string { return FromDefault }, values}
}

func withoutComments(text []byte) []byte {
	bare := make([]byte, 0, len(text))
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(bytes.TrimLeft(line, " "), []byte("#")) {
			bare = append(bare, line...)
		}
	}
	return bare
}

// A file is a configuration file as it was read. The zero file is none.
type file struct {
	path string
	text []byte
}

// layer is the layer of the file. It is empty if there is no file.
func (f file) layer() (layer, error) {
	l := layer{func(string) string { return f.path }, map[string]any{}}
	if f.path == "" {
		return l, nil
	}
	var err error
	l.values, err = parse(f.text)
	return l, errors.WithMessage(err, f.path)
}

// isCutFrom reports whether the file is the beginning of an earlier one.
func (f file) isCutFrom(earlier file) bool {
	return len(f.text) < len(earlier.text) && bytes.HasPrefix(earlier.text, f.text)
}

// find reads the file that is named, or searches for one.
func (s Source) find() (file, error) {
	if s.File != "" {
		f, err := read(s.File)
		return f, errors.WithMessage(err, "--config")
	}
	if path := s.getenv(namesFile); path != "" {
		f, err := read(path)
		return f, errors.WithMessage(err, namesFile)
	}
	places, err := beside()
	if err != nil {
		return file{}, err
	}
	return search(append(places, systemFile))
}

// search reads the first file that is there.
func search(places []string) (file, error) {
	for _, path := range places {
		f, err := read(path)
		if errors.Is(err, fs.ErrNotExist) && absent(path) {
			continue
		}
		return f, err
	}
	return file{}, nil
}

// absent reports whether there is nothing at a path where a file was not found. A link that leads nowhere is something, also
// in place of a directory: the file that it should lead to may restrict who publishes.
func absent(path string) bool {
	for {
		if _, err := os.Lstat(path); err == nil {
			info, err := os.Stat(path)
			return err == nil && info.IsDir()
		}
		path = filepath.Dir(path)
	}
}

// beside returns the paths of a file beside the program: first beside the path by which the program was called, which may
// be a symbolic link in a cgi-bin, then beside the program itself. Web servers call a program by its path. If it was
// called by a bare name, the current directory is not searched: it may belong to another user.
func beside() ([]string, error) {
	program, err := os.Executable() // on Linux, links are resolved already
	if err != nil {
		return nil, errors.Wrapf(err, "can't look for a %s beside the program: name the file, with --config or %s", fileName, namesFile)
	}
	paths := []string{filepath.Join(filepath.Dir(program), fileName)}
	if len(os.Args) > 0 && strings.Contains(os.Args[0], "/") && same(os.Args[0], program) {
		called := filepath.Join(filepath.Dir(os.Args[0]), fileName)
		paths = slices.Insert(paths, 0, called)
	}
	return paths, nil
}

// same reports whether name leads to the program. A made-up argv[0] must not choose the file.
func same(name, program string) bool {
	a, err := os.Stat(name)
	if err != nil {
		return false
	}
	b, err := os.Stat(program)
	return err == nil && os.SameFile(a, b)
}

// read reads a configuration file. It returns the zero file for [os.DevNull].
func read(path string) (file, error) {
	if filepath.Clean(path) == os.DevNull {
		return file{}, nil
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // A FIFO would wait for a program that writes to it.
	switch {
	case errors.Is(err, fs.ErrNotExist) && !absent(path):
		return file{}, errors.Wrap(err, "configuration: a symbolic link leads nowhere")
	case err != nil:
		return file{}, errors.Wrap(err, "configuration")
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return file{}, errors.Wrap(err, "configuration")
	}
	if !before.Mode().IsRegular() {
		return file{}, errors.Errorf("%s: is not a regular file: give the path of a comet.yaml, or /dev/null for no file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return file{}, errors.Wrap(err, "configuration")
	}
	after, err := f.Stat()
	if err != nil {
		return file{}, errors.Wrap(err, "configuration")
	}
	if after.ModTime() != before.ModTime() || after.Size() != before.Size() {
		return file{}, errors.Errorf("%s: changed while it was read: write a new file and rename it over this one", path)
	}
	if len(text) > maxFile {
		return file{}, errors.Errorf("%s: is larger than 1 MiB, so it is not a comet.yaml: give the path of one", path)
	}
	return file{path, text}, nil
}

// getenv returns the value of a variable, empty if it is not set.
func (s Source) getenv(name string) string {
	for _, variable := range s.Environ {
		if n, value, _ := strings.Cut(variable, "="); n == name {
			return value
		}
	}
	return ""
}

// environment is the layer of the variables. An unknown name is an error even if its value is empty, because it may be a
// misspelt restriction. A known name with an empty value is not set.
func (s Source) environment() (layer, error) {
	values := map[string]any{}
	for _, variable := range s.Environ {
		name, value, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, prefix) || name == namesFile {
			continue
		}
		if name == UserVariable {
			return layer{}, errors.Errorf("environment variable %s: only a web server can set it, for a location: "+
				"in the environment it would make every visitor this user", name)
		}
		set, ok := named(name)
		if !ok {
			return layer{}, errors.Errorf("unknown environment variable %s", unknown(name, names()))
		}
		if value != "" {
			values[set.key] = value
		}
	}
	return layer{func(key string) string { return "environment variable " + nameOf(key) }, values}, nil
}

// flags is the layer of the command line.
func (s Source) flags() (layer, error) {
	values := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(s.Flags)) {
		if _, ok := keyed(key); !ok {
			return layer{}, errors.Errorf("flag --%s: unknown key %s", key, unknown(key, keys()))
		}
		values[key] = s.Flags[key]
	}
	return layer{func(key string) string { return "flag --" + key }, values}, nil
}
