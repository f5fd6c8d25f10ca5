package launch

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"text/template"

	"github.com/pkg/errors"
)

// The canonical paths: what a user's system has, and the shipped files name.
const (
	cgiBin         = "/usr/lib/cgi-bin"
	bin            = "/usr/local/bin"
	socket         = "/run/novcomet/comet.sock"
	firstSocket    = "/run/novcomet/comet-1.sock"
	secondSocket   = "/run/novcomet/comet-2.sock"
	lighttpdSocket = "/run/lighttpd/comet.sock"
	passwords      = "comet.htpasswd"
)

// canonical maps each to its place below the temporary directory.
var canonical = map[string]string{
	cgiBin:         "cgi-bin",
	bin:            "bin",
	socket:         "comet.sock",
	firstSocket:    "comet-1.sock",
	secondSocket:   "comet-2.sock",
	lighttpdSocket: "lighttpd.sock",

	"/etc/nginx/" + passwords:    passwords,
	"/etc/apache2/" + passwords:  passwords,
	"/etc/lighttpd/" + passwords: passwords,
}

// socket is the one of the comet-fcgi that StopDaemon stops.
func (s *Site) socket() string {
	if variants[s.options.Server].several != "" {
		return filepath.Join(s.dir, canonical[firstSocket])
	}
	return filepath.Join(s.dir, canonical[socket])
}

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

// uncomment puts into force the block of settings under a heading: takes away the "# " in front of the lines from the one that
// ends with a colon to the next that is no comment.
func uncomment(text, heading string) (string, error) {
	lines := strings.Split(text, "\n")
	const above, title, block = 0, 1, 2
	where, found := above, false
	for i, line := range lines {
		indent, words, commented := strings.Cut(line, "# ")
		commented = commented && strings.TrimSpace(indent) == ""
		if where == above && commented && strings.Contains(words, heading) {
			where = title
		}
		switch {
		case !commented:
			where = above
		case where == title && strings.HasSuffix(words, ":"):
			where = block
		case where == block:
			lines[i], found = indent+words, true
		}
	}
	if !found {
		return "", errors.Errorf("has no block of settings under %q", heading)
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
	for _, heading := range s.options.Blocks {
		if text, err = uncomment(text, heading); err != nil {
			return errors.Wrap(err, file)
		}
	}
	for word, instead := range s.options.Replace {
		if !strings.Contains(text, word) {
			return errors.Errorf("%s does not mention %s", file, word)
		}
		text = strings.ReplaceAll(text, word, instead)
	}
	if err := s.write("comet.conf", text); err != nil {
		return err
	}
	if v.several != "" {
		if err := s.configureSeveral(v, text); err != nil {
			return err
		}
	}
	if v.beside != "" {
		if err := os.Symlink(v.beside, filepath.Join(s.dir, filepath.Base(v.beside))); err != nil {
			return errors.Wrap(err, "making the system's file available")
		}
	}
	var main bytes.Buffer
	err = template.Must(template.New("main").Parse(v.main)).Execute(&main, map[string]any{
		"Dir": s.dir, "Root": s.options.Root, "Port": port, "Extra": s.options.Extra, "Variant": s.options.Server,
		"Files": fileLimit(), "Several": v.several != "",
	})
	if err != nil {
		return errors.Wrap(err, "writing the main configuration")
	}
	return s.write("main.conf", main.String())
}

// configureSeveral writes comet-several.conf, and comet.conf with the line that it says.
func (s *Site) configureSeveral(v variant, one string) error {
	file := filepath.Join(s.source, "examples", v.several)
	shipped, err := os.ReadFile(file)
	if err != nil {
		return errors.Wrap(err, "reading a shipped configuration")
	}
	const instead = "fastcgi_pass comet;"
	if !strings.Contains(string(shipped), "#     "+instead) {
		return errors.Errorf("%s does not say %s", file, instead)
	}
	text, err := transplant(string(shipped), s.dir, []string{firstSocket, secondSocket})
	if err != nil {
		return errors.Wrap(err, file)
	}
	one = regexp.MustCompile(`fastcgi_pass unix:[^;]*;`).ReplaceAllLiteralString(one, instead)
	if err := s.write("comet.conf", one); err != nil {
		return err
	}
	return s.write("comet-several.conf", text)
}

// fileLimit is how many files the web server may open, two for each waiting browser: what this process is allowed, within
// reason, for nginx sets memory aside for each.
func fileLimit() uint64 {
	const usual, reasonable = 1024, 20000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return usual
	}
	return min(limit.Max, reasonable)
}

func (s *Site) write(name, text string) error {
	return errors.Wrap(os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644), "writing a configuration")
}
