package launch

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/pkg/errors"
)

// The canonical paths: what a user's system has, and the shipped files name.
const (
	cgiBin         = "/usr/lib/cgi-bin"
	bin            = "/usr/local/bin"
	socket         = "/run/novcomet/comet.sock"
	lighttpdSocket = "/run/lighttpd/comet.sock"
)

// canonical maps each to its place below the temporary directory.
var canonical = map[string]string{
	cgiBin:         "cgi-bin",
	bin:            "bin",
	socket:         "comet.sock",
	lighttpdSocket: "lighttpd.sock",
}

func (s *Site) socket() string { return filepath.Join(s.dir, canonical[socket]) }

// transplant replaces the canonical paths in the text of a shipped file. A path that the file must
// contain and doesn't is an error, so the table and the files cannot part.
func transplant(text, dir string, must []string) (string, error) {
	for _, path := range must {
		if !strings.Contains(text, path) {
			return "", errors.Errorf("does not mention %s: change the file, or the table of canonical paths", path)
		}
	}
	for path, place := range canonical {
		text = strings.ReplaceAll(text, path, filepath.Join(dir, place))
	}
	return text, nil
}

// uncomment takes away the "# " in front of the lines that contain the text: settings to choose.
func uncomment(text, containing string) (string, error) {
	lines := strings.Split(text, "\n")
	found := false
	for i, line := range lines {
		indent, setting, commented := strings.Cut(line, "# ")
		if commented && strings.TrimSpace(indent) == "" && strings.Contains(setting, containing) {
			lines[i], found = indent+setting, true
		}
	}
	if !found {
		return "", errors.Errorf("has no comment with %s", containing)
	}
	return strings.Join(lines, "\n"), nil
}

// configure writes main.conf, and comet.conf, the shipped file, which it includes.
func (s *Site) configure(v variant, port int) error {
	file := filepath.Join(s.source, "examples", v.shipped)
	shipped, err := os.ReadFile(file)
	if err != nil {
		return errors.Wrap(err, "reading a shipped configuration")
	}
	text, err := transplant(string(shipped), s.dir, v.paths)
	if err != nil {
		return errors.Wrap(err, file)
	}
	if s.options.Uncomment != "" {
		if text, err = uncomment(text, s.options.Uncomment); err != nil {
			return errors.Wrap(err, file)
		}
	}
	if err := s.write("comet.conf", text); err != nil {
		return err
	}
	if v.beside != "" {
		if err := os.Symlink(v.beside, filepath.Join(s.dir, filepath.Base(v.beside))); err != nil {
			return errors.Wrap(err, "making the system's file available")
		}
	}
	var main bytes.Buffer
	err = template.Must(template.New("main").Parse(v.main)).Execute(&main, map[string]any{
		"Dir": s.dir, "Root": s.options.Root, "Port": port, "Extra": s.options.Extra, "Variant": s.options.Server,
	})
	if err != nil {
		return errors.Wrap(err, "writing the main configuration")
	}
	return s.write("main.conf", main.String())
}

func (s *Site) write(name, text string) error {
	return errors.Wrap(os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644), "writing a configuration")
}
