package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	pkgerrors "github.com/pkg/errors"
)

// manual returns the manual pages. They are made from what the programs print, and from conf/comet.yaml.
func (r *release) manual(temporary string) ([]file, error) {
	settings, err := os.ReadFile(filepath.Join(r.root, "conf", "comet.yaml"))
	if err != nil {
		return nil, pkgerrors.WithStack(err)
	}
	fcgi, err := output(filepath.Join(temporary, runtime.GOARCH, "comet-fcgi"), "--help")
	if err != nil {
		return nil, err
	}
	cgi, err := output(filepath.Join(temporary, runtime.GOARCH, "comet.cgi"))
	if err != nil {
		return nil, err
	}
	var all []file
	for _, page := range []struct {
		name, section, about string
		body                 func(*roff) error
		files, seeAlso       string
	}{
		{"comet-fcgi", "1", "real-time events for web pages, behind a web server", func(p *roff) error {
			p.synopsis("comet-fcgi", "[--config FILE] [--listen ADDRESS]", "publish ID [--data FILE]", "check [URL]")
			p.help(fcgi)
			return nil
		}, "/etc/novcomet/comet.yaml, /run/novcomet/comet.sock", "comet.yaml(5), comet.cgi(8), systemd.socket(5)"},
		{"comet.cgi", "8", "real-time events for web pages, as a CGI program", func(p *roff) error {
			p.synopsis("comet.cgi", "--version")
			p.help(cgi)
			return nil
		}, "/usr/lib/novcomet/comet.cgi, /etc/novcomet/comet.yaml", "comet.yaml(5), comet-fcgi(1)"},
		{"comet.yaml", "5", "the settings of NovComet", func(p *roff) error { return p.settings(string(settings)) },
			"/etc/novcomet/comet.yaml", "comet-fcgi(1), comet.cgi(8)"},
	} {
		p := &roff{}
		date := r.time.Format("2006-01-02")
		p.macro(".TH", strings.ToUpper(page.name), page.section, date, "NovComet "+r.version, "NovComet")
		p.WriteString(".nh\n.ad l\n") // no hyphenation, and left-aligned lines
		p.macro(".SH", "NAME")
		p.text(page.name + " - " + page.about)
		if err := page.body(p); err != nil {
			return nil, fmt.Errorf("%s: %w", page.name, err)
		}
		p.macro(".SH", "FILES")
		p.text(page.files + ", /usr/share/doc/novcomet")
		p.macro(".SH", "SEE ALSO")
		p.text(page.seeAlso)
		name := fmt.Sprintf("man/man%[1]s/%[2]s.%[1]s", page.section, page.name)
		all = append(all, file{name, 0o644, []byte(p.String())})
	}
	return all, nil
}

// output returns what a program prints. comet.cgi ends with status 2 if no web server has started it.
func output(path string, args ...string) (string, error) {
	cmd := exec.Command(path, args...)
	cmd.Env = []string{} // without the variables of a web server
	text, err := cmd.CombinedOutput()
	if ended := (*exec.ExitError)(nil); errors.As(err, &ended) && ended.ExitCode() == 2 {
		err = nil
	}
	return string(text),
		pkgerrors.Wrapf(err, "the manual pages need a program for this machine: --arch %s", runtime.GOARCH)
}

// roff is a page in the language of man(7).
type roff struct{ strings.Builder }

func (p *roff) macro(name string, args ...string) {
	p.WriteString(name)
	for _, arg := range args {
		fmt.Fprintf(p, ` "%s"`, strings.ReplaceAll(escape(arg), `"`, `\(dq`))
	}
	p.WriteString("\n")
}

// text writes one line of text.
func (p *roff) text(line string) {
	line = escape(line)
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		line = `\&` + line
	}
	p.WriteString(line + "\n")
}

// escape writes hyphens as minus signs, so that a reader can copy options.
func escape(text string) string { return strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text) }

func (p *roff) synopsis(program string, forms ...string) {
	p.macro(".SH", "SYNOPSIS")
	for i, form := range forms {
		if i > 0 {
			p.macro(".br")
		}
		p.text(program + " " + form)
	}
	p.macro(".SH", "DESCRIPTION")
}

var option = regexp.MustCompile(`^ +(--\S+(?: [A-Z]+)?)  +(.*)$`)

// help writes what a program prints with --help: paragraphs of one line, indented examples, and options.
func (p *roff) help(text string) {
	options := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch found := option.FindStringSubmatch(line); {
		case line == "":
		case found != nil:
			if !options {
				p.macro(".SH", "OPTIONS")
				options = true
			}
			p.macro(".TP")
			p.text(found[1])
			p.text(found[2])
		case strings.HasPrefix(line, "  "):
			p.macro(".nf")
			p.text(line)
			p.macro(".fi")
		default:
			p.macro(".PP")
			p.text(strings.Join(strings.Fields(line), " "))
		}
	}
}

var setting = regexp.MustCompile(`^( *)([a-z_]+):( *)(.*)$`)

// settings writes the comments of conf/comet.yaml, each below its key. The comment at the beginning is the
// description.
func (p *roff) settings(yaml string) error {
	p.macro(".SH", "DESCRIPTION")
	description, group := true, ""
	var comment []string
	for number, line := range strings.Split(yaml, "\n") {
		words, isComment := strings.CutPrefix(strings.TrimLeft(line, " "), "#")
		found := setting.FindStringSubmatch(line)
		switch {
		case isComment:
			comment = append(comment, strings.TrimPrefix(words, " "))
		case line == "" && description && len(comment) > 0:
			p.paragraphs(comment, ".PP")
			p.macro(".SH", "SETTINGS")
			comment, description = nil, false
		case line == "":
		case found != nil && !description:
			name := found[2]
			if found[1] != "" {
				name = group + "." + name
			} else {
				group = name
			}
			p.macro(".TP")
			p.text(name + ":" + found[3] + found[4])
			p.paragraphs(comment, ".IP")
			comment = nil
		default:
			return fmt.Errorf("line %d is neither a comment nor a key: %s", number+1, line)
		}
	}
	if len(comment) > 0 {
		return fmt.Errorf("no key follows the last comment: %q", comment)
	}
	return nil
}

// paragraphs writes lines of a comment. An empty line or "- " begins a paragraph.
func (p *roff) paragraphs(lines []string, macro string) {
	for i, line := range lines {
		if item, found := strings.CutPrefix(line, "- "); found {
			p.macro(".IP", "*", "2")
			line = item
		}
		if line != "" {
			p.text(strings.TrimSpace(line))
		} else if i < len(lines)-1 {
			p.macro(macro)
		}
	}
}
