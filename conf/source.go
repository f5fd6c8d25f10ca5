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
	// File is the file that --config names. It must exist. If File is empty, the first of these is read: the file that
	// COMET_CONFIG names, comet.yaml beside the program, /etc/novcomet/comet.yaml. There may be none.
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

// file is the layer of the configuration file. It is empty if there is no file.
func (s Source) file() (layer, error) {
	path, text, err := s.find()
	if err != nil {
		return layer{}, err
	}
	values, err := parse(text)
	if err != nil {
		return layer{}, errors.WithMessage(err, path)
	}
	return layer{func(string) string { return path }, values}, nil
}

func (s Source) find() (path string, text []byte, err error) {
	if s.File != "" {
		text, err = read(s.File)
		return s.File, text, errors.WithMessage(err, "--config")
	}
	if path := s.getenv(namesFile); path != "" {
		text, err = read(path)
		return path, text, errors.WithMessage(err, namesFile)
	}
	for _, path := range append(beside(), systemFile) {
		text, err = read(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			continue
		}
		return path, text, err
	}
	return "", nil, nil
}

// beside returns the paths of a file beside the program: first beside the path by which the program was called, which may
// be a symbolic link in a cgi-bin, then beside the program itself. Web servers call a program by its path. If it was
// called by a bare name, the current directory is not searched: it may belong to another user.
func beside() []string {
	program, err := os.Executable() // on Linux, links are resolved already
	if err != nil {
		return nil
	}
	paths := []string{filepath.Join(filepath.Dir(program), fileName)}
	if len(os.Args) > 0 && strings.Contains(os.Args[0], "/") && same(os.Args[0], program) {
		called := filepath.Join(filepath.Dir(os.Args[0]), fileName)
		paths = slices.Insert(paths, 0, called)
	}
	return paths
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

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, errors.Wrap(err, "configuration")
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, errors.Wrap(err, "configuration")
	}
	if len(text) > maxFile {
		return nil, errors.Errorf("%s: is larger than 1 MiB, so it is not a comet.yaml: give the path of one", path)
	}
	return text, nil
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
