package launch

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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
	settings       = "/etc/novcomet/comet.yaml"
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
	settings:       "comet.yaml",

	"/etc/nginx/" + passwords:    passwords,
	"/etc/apache2/" + passwords:  passwords,
	"/etc/lighttpd/" + passwords: passwords,
}

// The addresses of a cluster's machines, as its files name them.
const (
	firstMachine  = "10.0.0.1:9000"
	secondMachine = "10.0.0.2:9000"
	redisMachine  = "10.0.0.10:6379"
)

// chooseMachines finds an address on this machine for each of a cluster's.
func (s *Site) chooseMachines() error {
	s.machines = map[string]string{redisMachine: s.options.Redis}
	for _, machine := range []string{firstMachine, secondMachine} {
		port, err := FreePort(0)
		if err != nil {
			return err
		}
		s.machines[machine] = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	return nil
}

// place returns where a socket is that the shipped files name.
func (s *Site) place(socket string) (network, address string) {
	if machine, ok := s.machines[socket]; ok {
		return "tcp", machine
	}
	return "unix", filepath.Join(s.dir, canonical[socket])
}

// move transplants a shipped file, with the addresses of a cluster's machines.
func (s *Site) move(file string, must []string) (string, error) {
	file = filepath.Join(s.source, "examples", file)
	shipped, err := os.ReadFile(file)
	if err != nil {
		return "", errors.Wrap(err, "reading a shipped configuration")
	}
	text, err := transplant(string(shipped), s.dir, must)
	if err != nil {
		return "", errors.Wrap(err, file)
	}
	for machine, here := range s.machines {
		text = strings.ReplaceAll(text, machine, here)
	}
	return text, nil
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
	text, err := s.move(v.shipped, v.paths)
	if err != nil {
		return err
	}
	var several string
	if v.several != "" {
		if several, err = s.move(v.several, v.sockets); err != nil {
			return err
		}
	}
	if err := s.choose(v, &text, &several); err != nil {
		return err
	}
	if err := s.write("comet.conf", text); err != nil {
		return err
	}
	if v.several != "" {
		if err := s.configureSeveral(v, text, several); err != nil {
			return err
		}
	}
	if v.beside != "" {
		if err := os.Symlink(v.beside, filepath.Join(s.dir, filepath.Base(v.beside))); err != nil {
			return errors.Wrap(err, "making the system's file available")
		}
	}
	here := func(text string) string { return strings.ReplaceAll(text, "{dir}", s.dir) }
	var main bytes.Buffer
	err = template.Must(template.New("main").Parse(v.main)).Execute(&main, map[string]any{
		"Dir": s.dir, "Root": s.options.Root, "Port": port, "Extra": here(s.options.Extra), "HTTP": here(s.options.HTTP), "Variant": s.options.Server,
		"Files": fileLimit(), "Connections": s.options.WorkerConnections, "Several": v.several != "",
	})
	if err != nil {
		return errors.Wrap(err, "writing the main configuration")
	}
	return s.write("main.conf", main.String())
}

// choose puts the blocks of the options into force, and replaces their words, in each of the shipped texts that has them.
func (s *Site) choose(v variant, texts ...*string) error {
	for _, heading := range s.options.Blocks {
		found := false
		for _, text := range texts {
			if chosen, err := uncomment(*text, heading); err == nil {
				*text, found = chosen, true
			}
		}
		if !found {
			return errors.Errorf("%s has no block of settings under %q", v.shipped, heading)
		}
	}
	for word, instead := range s.options.Replace {
		found := false
		for _, text := range texts {
			found = found || strings.Contains(*text, word)
			*text = strings.ReplaceAll(*text, word, strings.ReplaceAll(instead, "{dir}", s.dir))
		}
		if !found {
			return errors.Errorf("%s does not mention %s", v.shipped, word)
		}
	}
	return nil
}

// configureSeveral writes the file with the sockets of several comet-fcgi, and comet.conf with the line that it says.
func (s *Site) configureSeveral(v variant, one, text string) error {
	instead := regexp.MustCompile(`(?m)^#     (fastcgi_pass comet;.*)$`).FindStringSubmatch(text)
	if instead == nil {
		return errors.Errorf("%s does not say what to write instead of fastcgi_pass unix:…", v.several)
	}
	one = regexp.MustCompile(`fastcgi_pass unix:[^;]*;`).ReplaceAllLiteralString(one, instead[1])
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
