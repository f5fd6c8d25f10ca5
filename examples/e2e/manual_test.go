package e2e_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"novcomet/examples/internal/docs"
)

// Every command of every README works as written, in order, on a machine with systemd but without NovComet.
// CONTRIBUTING.md says how the commands are written.
func TestManual(t *testing.T) {
	t.Parallel()
	root, err := docs.Root()
	if err != nil {
		t.Fatal(err)
	}
	pages, err := docs.Files(root, "README.md")
	if err != nil {
		t.Fatal(err)
	}
	build(t, root)
	machines := make(chan struct{}, 2) // at the same time
	for _, page := range pages {
		sessions, err := plan(root, page, "")
		if err != nil {
			t.Error(err)
			continue
		}
		for _, s := range sessions {
			t.Run(page+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				if !slices.ContainsFunc(s.steps, func(s step) bool { return s.skip == "" }) {
					t.Skip("there is no command to run")
				}
				machines <- struct{}{}
				began := time.Now()
				t.Cleanup(func() {
					<-machines
					t.Logf("%.0f s", time.Since(began).Seconds())
				})
				if err := boot(t, root).run(t, s); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// The reader notices what is wrong with a page.
func TestManual_Mistakes(t *testing.T) {
	root, err := docs.Root()
	if err != nil {
		t.Fatal(err)
	}
	m := boot(t, root)
	for name, page := range map[string]struct {
		text string
		want string // in the error; "" for a page that is right
	}{
		"all is well":                  {"    touch a \\\n      b && ls b\n    cd /tmp\n    X=1\n\n<!-- file: /etc/x.conf -->\n```text\none\n```\n\n    test $X = 1 && grep one /etc/x.conf && sudo rm /etc/x.conf", ""},
		"a command that fails":         {"    true\n    false\n", "status 1"},
		"a command that is not there":  {"    novcomet-gone\n", "novcomet-gone"},
		"a syntax error":               {"    fi\n", "syntax error"},
		"sudo is missing":              {"    touch /etc/novcomet\n", "Permission denied"},
		"sudo is there":                {"    sudo touch /etc/novcomet && sudo rm /etc/novcomet\n", ""},
		"a service that is not there":  {"    sudo systemctl restart novcomet-gone\n", "novcomet-gone.service"},
		"a real service":               {"    sudo systemctl restart memcached\n    sudo systemctl stop memcached\n", ""},
		"the output is another one":    {"    curl file:///etc/hostname\n    {\"s\":0}\n", "novcomet"},
		"the output is as it is shown": {"    echo '{\"s\":1}' > /tmp/f; curl file:///tmp/f\n    {\"s\":1}\n", ""},
		"a stamp is remembered": {
			"    echo '[1234567890.5,1234567891]' > /tmp/f; curl file:///tmp/f\n    [1763800123.456789,1763800123]\n    test 1763800123.456789 = 1234567890.5\n    test 1763800123 = 1234567891\n", "",
		},
		"no insertion point": {"<!-- insert: /etc/hostname: none -->\n```text\nx\n```\n\n    true\n", "/etc/hostname"},
	} {
		t.Run(name, func(t *testing.T) {
			steps, err := steps(docs.Parse("README.md", page.text), nil)
			if err != nil {
				t.Fatal(err)
			}
			err = m.run(t, session{steps: steps})
			switch {
			case page.want == "" && err != nil:
				t.Error(err)
			case page.want != "" && (err == nil || !strings.Contains(err.Error(), page.want)):
				t.Errorf("%v; want an error with %q", err, page.want)
			}
		})
	}
}

// A session is what a reader does from the top of a page to its end, with one of its alternatives.
type session struct {
	name  string
	steps []step
}

// A step is a command, or a change of a file.
type step struct {
	page    string
	line    int
	first   bool // of its page: the reader opens a new shell
	command string
	output  []string // of a curl
	edit    string   // file, append or insert
	target  string   // of the edit
	text    string   // of the edit
	skip    string   // why the step is not run
}

// A part of a page is one of several ways to do something.
type part struct {
	slug        string
	first, last int
}

func (p part) contains(line int) bool { return p.first <= line && line <= p.last }

// plan returns the sessions of a page; with a slug only the one of that alternative.
func plan(root, path, slug string) ([]session, error) {
	page, err := docs.Read(filepath.Join(root, path))
	if err != nil {
		return nil, err
	}
	page.Path = path
	before, err := prerequisites(root, page)
	if err != nil {
		return nil, err
	}
	parts := alternatives(page)
	var sessions []session
	for _, chosen := range parts {
		nested := func(p part) bool { return p != chosen && chosen.contains(p.first) }
		if slices.ContainsFunc(parts, nested) || slug != "" && slug != chosen.slug {
			continue
		}
		own, err := steps(page, func(line int) bool {
			return !slices.ContainsFunc(parts, func(p part) bool { return p.contains(line) && !p.contains(chosen.first) })
		})
		if err != nil {
			return nil, err
		}
		sessions = append(sessions, session{chosen.slug, slices.Concat(before, own)})
	}
	if len(parts) > 0 {
		return sessions, nil
	}
	own, err := steps(page, nil)
	return []session{{"commands", slices.Concat(before, own)}}, err
}

// prerequisites returns the steps of the page that the reader has followed before.
func prerequisites(root string, page *docs.Page) ([]step, error) {
	if len(page.Headings) == 0 {
		return nil, nil
	}
	target, found := docs.Find(page.Headings[0].Notes, "after")
	if !found {
		return nil, nil
	}
	path, slug, _ := strings.Cut(target, "#")
	sessions, err := plan(root, path, slug)
	if err != nil {
		return nil, err
	}
	if len(sessions) == 0 {
		return nil, fmt.Errorf("%s: after %s: there is no such alternative", page.Path, target)
	}
	return sessions[0].steps, nil
}

func alternatives(page *docs.Page) (parts []part) {
	for i, heading := range page.Headings {
		if _, found := docs.Find(heading.Notes, "alternative"); !found {
			continue
		}
		last := len(page.Lines)
		for _, next := range page.Headings[i+1:] {
			if next.Level <= heading.Level {
				last = next.Line - 1
				break
			}
		}
		parts = append(parts, part{heading.Slug, heading.Line, last})
	}
	return parts
}

// steps returns what a page has the reader do, in the lines that are wanted.
func steps(page *docs.Page, wanted func(line int) bool) (all []step, err error) {
	for _, block := range page.Blocks {
		if wanted != nil && !wanted(block.Line) {
			continue
		}
		var own []step
		if block.Commands() {
			if own, err = commands(block); err != nil {
				return nil, fmt.Errorf("%s:%w", page.Path, err)
			}
		} else {
			own = edits(block)
		}
		reason, _ := docs.Find(block.Notes, "not run")
		for _, s := range own {
			s.page, s.skip, s.first = page.Path, reason, len(all) == 0
			all = append(all, s)
		}
	}
	return all, nil
}

func edits(block docs.Block) (all []step) {
	for _, note := range block.Notes {
		switch note.Name {
		case "file", "append":
			all = append(all, step{line: block.Line, edit: note.Name, target: note.Value, text: strings.Join(block.Lines, "\n") + "\n"})
		case "insert":
			file, after, _ := strings.Cut(note.Value, ": ")
			all = append(all, step{line: block.Line, edit: note.Name, target: file, command: after, text: strings.Join(block.Lines, "\n") + "\n"})
		}
	}
	return all
}

var (
	curl       = regexp.MustCompile(`\bcurl\b`)
	outputLine = regexp.MustCompile(`^([{}\[" :]|true|false|retry:|id:|event:|data:|HTTP/|novcomet_)`)
)

// commands splits a block into its commands, each with the output below it.
func commands(block docs.Block) (all []step, err error) {
	for i := 0; i < len(block.Lines); i++ {
		line := block.Lines[i]
		if strings.TrimSpace(line) == "" {
			continue
		}
		s := step{line: block.Line + i, command: line}
		for !complete(s.command) && i+1 < len(block.Lines) {
			i++
			s.command += "\n" + block.Lines[i]
		}
		for curl.MatchString(s.command) && i+1 < len(block.Lines) {
			next := block.Lines[i+1]
			if strings.TrimSpace(next) != "" && !outputLine.MatchString(next) {
				break
			}
			i++
			if strings.TrimSpace(next) != "" {
				s.output = append(s.output, next)
			}
		}
		all = append(all, s)
	}
	return all, nil
}

// complete reports whether bash takes the lines for a whole command.
func complete(command string) bool {
	if strings.HasSuffix(command, "\\") {
		return false
	}
	said, err := exec.Command("bash", "-n", "-c", command).CombinedOutput()
	unfinished := strings.Contains(string(said), "unexpected end of file") || strings.Contains(string(said), "unexpected EOF") || bytes.Contains(said, []byte("here-document"))
	return !unfinished || err == nil && len(said) == 0
}

// run follows a session, and returns the first thing that goes wrong.
func (m *machine) run(t *testing.T, s session) error {
	r := &reader{machine: m, jobs: map[string]string{}, stamps: map[string]string{}}
	defer r.leave()
	start, _ := m.root("printf @; date +%s | tr -d \"\\n\"", "")
	for _, step := range s.steps {
		if step.skip != "" {
			t.Logf("%s:%d: not run, for %s: %s", step.page, step.line, step.skip, step.command)
			continue
		}
		if step.first || r.shell == nil {
			if err := r.open(); err != nil {
				return err
			}
		}
		began := time.Now()
		err := r.follow(step)
		t.Logf("%s:%d: %.1f s: %s%s", step.page, step.line, time.Since(began).Seconds(), step.edit, step.command)
		if err != nil {
			journal, _ := m.root("journalctl --no-pager --quiet --output cat --since "+start+" | grep -vE '^ *reader :|^pam_|[.]mount: ' | tail -n 20", "")
			return fmt.Errorf("%s:%d: %w\nthe journal:\n%s", step.page, step.line, err, journal)
		}
	}
	return nil
}
