package conf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	pkgerrors "github.com/pkg/errors"

	"novcomet/core/access"
)

const (
	fileVariable = "COMET_CONFIG" // names the file; the only COMET_* of the environment that is not a key
	fileName     = "comet.yaml"
	systemFile   = "/etc/novcomet/" + fileName

	// Limits of files, in bytes. A mistyped --config must not read a disk into memory.
	maxFile     = 1 << 20
	maxSecrets  = 64 << 10
	maxPassword = 4096
)

// A file is a settings file as it was read. The zero file is no file.
type file struct {
	path string
	text []byte
}

// findFile reads the file that is named, or searches for one.
func (s Source) findFile() (file, error) {
	path, by := s.File, "--config"
	if path == "" {
		path, by = s.variables()[fileVariable], fileVariable
	}
	if path == "" {
		places, err := besideProgram()
		if err != nil {
			return file{}, err
		}
		return searchFile(append(places, systemFile))
	}
	f, err := readFile(path)
	if err != nil {
		return file{}, fmt.Errorf("%s: %w", by, err)
	}
	return f, nil
}

// searchFile reads the first file that is there.
func searchFile(places []string) (file, error) {
	for _, path := range places {
		f, err := readFile(path)
		if errors.Is(err, fs.ErrNotExist) && isAbsent(path) {
			continue
		}
		return f, err
	}
	return file{}, nil
}

// isAbsent reports whether there is nothing at a path where a file was not found. A symbolic link that leads
// nowhere, also in place of a directory, is something: the file that it should lead to may restrict who
// publishes.
func isAbsent(path string) bool {
	for {
		if _, err := os.Lstat(path); err == nil {
			info, err := os.Stat(path)
			return err == nil && info.IsDir()
		}
		path = filepath.Dir(path)
	}
}

// besideProgram returns the paths of a file beside the program: first beside the path by which the program
// was called, which may be a symbolic link in a cgi-bin, then beside the program itself. Web servers call a
// program by its path. If it was called by a bare name, the current directory is not searched: it may belong
// to another user.
func besideProgram() ([]string, error) {
	program, err := os.Executable() // On Linux, symbolic links are resolved already.
	if err != nil {
		return nil, pkgerrors.Wrapf(err, "cannot search for a %s beside the program: name the file, with --config or %s",
			fileName, fileVariable)
	}
	places := []string{filepath.Join(filepath.Dir(program), fileName)}
	if len(os.Args) > 0 && strings.Contains(os.Args[0], "/") {
		// A made-up argv[0] must not choose the settings.
		a, err := os.Stat(os.Args[0])
		b, wrong := os.Stat(program)
		if err == nil && wrong == nil && os.SameFile(a, b) {
			places = slices.Insert(places, 0, filepath.Join(filepath.Dir(os.Args[0]), fileName))
		}
	}
	return places, nil
}

// readFile reads a settings file. It returns the zero file for [os.DevNull].
func readFile(path string) (file, error) {
	if filepath.Clean(path) == os.DevNull {
		return file{}, nil
	}
	text, err := readRegular(path, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !isAbsent(path):
		err = fmt.Errorf("configuration: a symbolic link leads nowhere: %w", err)
	case errors.Is(err, errNotRegular):
		err = fmt.Errorf("%s: %w: give the path of a comet.yaml, or /dev/null for no file", path, err)
	case errors.Is(err, errChanged):
		err = fmt.Errorf("%s: %w: write a new file and rename it over this one", path, err)
	case errors.Is(err, errTooLarge):
		err = fmt.Errorf("%s: is larger than 1 MiB, so it is not a comet.yaml: give the path of one", path)
	case err != nil:
		err = fmt.Errorf("configuration: %w", err)
	}
	return file{path, text}, err
}

var (
	errNotRegular = errors.New("is not a regular file")
	errChanged    = errors.New("changed while it was read")
	errTooLarge   = errors.New("is too large")
)

// readRegular reads a regular file of at most that many bytes. Any other file might never end.
func readRegular(path string, most int64) ([]byte, error) {
	// To open a FIFO would wait for a program that writes to it.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, pkgerrors.WithStack(err)
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return nil, pkgerrors.WithStack(err)
	}
	if !before.Mode().IsRegular() {
		return nil, errNotRegular
	}
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, pkgerrors.WithStack(err)
	}
	after, err := f.Stat()
	switch {
	case err != nil:
		return nil, pkgerrors.WithStack(err)
	case after.ModTime() != before.ModTime() || after.Size() != before.Size():
		return nil, errChanged
	case int64(len(text)) > most:
		return nil, errTooLarge
	}
	return text, nil
}

// readSecrets adds the secrets for tokens, if a file has them.
func (l *Loaded) readSecrets() error {
	path := l.Subscribe.SecretFile
	if path == "" {
		return nil
	}
	secrets, err := secretsIn(path)
	if err == nil {
		if l.Subscribe.Signed, err = l.Subscribe.Signed.WithSecrets(secrets); err != nil {
			err = fmt.Errorf("has a line that is not a secret of at least %d characters", access.MinSecret)
		}
	}
	if err != nil {
		return l.refuse("subscribe.secret_file", fmt.Errorf("%s %w", quote(path), err))
	}
	return nil
}

// secretsIn returns the lines of a file. Empty ones and those that begin with # are skipped.
func secretsIn(path string) (secrets []string, err error) {
	text, err := readRegular(path, maxSecrets)
	switch {
	case errors.Is(err, errNotRegular), errors.Is(err, errTooLarge):
		return nil, errors.New("cannot be read: not a regular file of at most 64 KiB")
	case err != nil:
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			secrets = append(secrets, line)
		}
	}
	return secrets, nil
}

// Password reads the password of Redis. It is empty if no file is set.
func (r Redis) Password() (string, error) {
	if r.PasswordFile == "" {
		return "", nil
	}
	text, err := readRegular(r.PasswordFile, maxPassword)
	password := strings.TrimRight(string(text), "\r\n")
	switch {
	case errors.Is(err, errNotRegular), errors.Is(err, errTooLarge):
		return "", fmt.Errorf("redis.password_file: %s is not a regular file of at most %d bytes",
			r.PasswordFile, maxPassword)
	case err != nil:
		return "", fmt.Errorf("redis.password_file: %w", err)
	case password == "":
		return "", fmt.Errorf("redis.password_file: %s contains no password", r.PasswordFile)
	}
	return password, nil
}
