package launch

import (
	"bytes"
	_ "embed" // the templates
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"text/template"

	"github.com/pkg/errors"
)

// The main configurations, templates over the type mainData. They contain what the main configuration of a
// system contains: a port, a document root, modules, logs. All files are in Dir. They include Dir/comet.conf,
// the example file. Time-outs have the server's defaults.
var (
	//go:embed templates/apache.conf
	apacheMain string
	//go:embed templates/nginx.conf
	nginxMain string
	//go:embed templates/lighttpd.conf
	lighttpdMain string
	//go:embed templates/Caddyfile
	caddyMain string
)

// mainData is the data of the templates of main configurations.
type mainData struct {
	Dir, Root   string
	Port        int
	Extra, HTTP string
	Variant     Server
	Files       uint64 // how many files the server may open
	Connections int    // Options.WorkerConnections
	Upstream    bool   // include comet-upstream.conf
}

// configure writes main.conf, and the files that it includes: comet.conf and comet-upstream.conf.
func (s *Site) configure(v variant, port int) error {
	location, err := s.relocatedExample(v.example, v.paths)
	if err != nil {
		return err
	}
	var upstream string
	if v.upstream != "" {
		if upstream, err = s.relocatedExample(v.upstream, v.sockets); err != nil {
			return err
		}
	}
	if err := s.applyOptions(v, &location, &upstream); err != nil {
		return err
	}
	if v.upstream != "" {
		if err := s.write("comet-upstream.conf", upstream); err != nil {
			return err
		}
	}
	if err := s.write("comet.conf", location); err != nil {
		return err
	}
	if v.include != "" {
		if err := os.Symlink(v.include, filepath.Join(s.dir, filepath.Base(v.include))); err != nil {
			return errors.Wrap(err, "linking to a file of the system")
		}
	}
	var main bytes.Buffer
	err = template.Must(template.New("main").Parse(v.main)).Execute(&main, mainData{
		Dir: s.dir, Root: s.options.Root, Port: port, Variant: s.options.Server,
		Extra: s.expand(s.options.Extra), HTTP: s.expand(s.options.HTTP),
		Files: fileLimit(), Connections: s.options.WorkerConnections, Upstream: v.upstream != "",
	})
	if err != nil {
		return errors.Wrap(err, "writing the main configuration")
	}
	return s.write("main.conf", main.String())
}

// applyOptions applies Options.Blocks and Options.Replace to the texts. Each must occur in one of them.
func (s *Site) applyOptions(v variant, texts ...*string) error {
	for _, heading := range s.options.Blocks {
		found := false
		for _, text := range texts {
			if changed, err := uncomment(*text, heading); err == nil {
				*text, found = changed, true
			}
		}
		if !found {
			return fmt.Errorf("%s has no block of settings under %q", v.example, heading)
		}
	}
	for word, replacement := range s.options.Replace {
		found := false
		for _, text := range texts {
			found = found || strings.Contains(*text, word)
			*text = strings.ReplaceAll(*text, word, s.expand(replacement))
		}
		if !found {
			return fmt.Errorf("%s does not contain %s", v.example, word)
		}
	}
	return nil
}

// uncomment removes the "# " in front of the lines of the block under a heading. The heading is a comment of
// one or more lines that ends with a colon. The block ends before the next line that is not a comment.
func uncomment(text, heading string) (string, error) {
	lines := strings.Split(text, "\n")
	const outside, inHeading, inBlock = 0, 1, 2
	state, found := outside, false
	for i, line := range lines {
		indent, words, commented := strings.Cut(line, "# ")
		commented = commented && strings.TrimSpace(indent) == ""
		if state == outside && commented && strings.Contains(words, heading) {
			state = inHeading
		}
		switch {
		case !commented:
			state = outside
		case state == inHeading && strings.HasSuffix(words, ":"):
			state = inBlock
		case state == inBlock:
			lines[i], found = indent+words, true
		}
	}
	if !found {
		return "", fmt.Errorf("no block of settings under %q", heading)
	}
	return strings.Join(lines, "\n"), nil
}

// fileLimit returns how many files a web server may open: the limit of this process, but at most 20000,
// because nginx reserves memory for each. A waiting browser takes two.
func fileLimit() uint64 {
	const usual, most = 1024, 20000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return usual
	}
	return min(limit.Max, most)
}

// expand replaces {dir} by the temporary directory.
func (s *Site) expand(text string) string { return strings.ReplaceAll(text, "{dir}", s.dir) }

func (s *Site) write(name, text string) error {
	err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644)
	return errors.Wrap(err, "writing a configuration file")
}
