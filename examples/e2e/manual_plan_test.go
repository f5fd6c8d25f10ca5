package e2e_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"novcomet/examples/internal/docs"
)

// A session has the steps of a reader from the beginning of a page to its end, with one of its alternatives.
type session struct {
	name  string
	steps []step
}

// A step is a command, or a change of a file.
type step struct {
	page    string
	line    int
	first   bool     // the first step of a page, for which the reader opens a new shell
	command string   // of an insertion: the line after which the text is inserted
	output  []string // the output of curl that the page shows
	edit    string   // file, append or insert
	target  string   // the file of the edit
	text    string   // the text of the edit
	skip    string   // why the step is not run
}

// A part of a page is one of several alternatives.
type part struct {
	slug        string
	first, last int
}

func (p part) contains(line int) bool { return p.first <= line && line <= p.last }

// plan returns the sessions of a page, or with a slug only the session with that alternative.
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
		own := steps(page, func(line int) bool {
			other := func(p part) bool { return p.contains(line) && !p.contains(chosen.first) }
			return !slices.ContainsFunc(parts, other)
		})
		sessions = append(sessions, session{chosen.slug, slices.Concat(before, own)})
	}
	if len(parts) > 0 {
		return sessions, nil
	}
	return []session{{"commands", slices.Concat(before, steps(page, nil))}}, nil
}

// prerequisites returns the steps of the page that a reader follows first.
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

// alternatives returns the parts of a page that the note "alternative" marks.
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

// steps returns the steps of the wanted lines of a page.
func steps(page *docs.Page, wanted func(line int) bool) (all []step) {
	for _, block := range page.Blocks {
		if wanted != nil && !wanted(block.Line) {
			continue
		}
		own := edits(block)
		if block.Commands() {
			own = commands(block)
		}
		reason, _ := docs.Find(block.Notes, "not run")
		for _, s := range own {
			s.page, s.skip, s.first = page.Path, reason, len(all) == 0
			all = append(all, s)
		}
	}
	return all
}

// edits returns the changes of files that the notes of a block describe.
func edits(block docs.Block) (all []step) {
	text := strings.Join(block.Lines, "\n") + "\n"
	for _, note := range block.Notes {
		switch note.Name {
		case "file", "append":
			all = append(all, step{line: block.Line, edit: note.Name, target: note.Value, text: text})
		case "insert":
			file, after, _ := strings.Cut(note.Value, ": ")
			all = append(all, step{line: block.Line, edit: note.Name, target: file, command: after, text: text})
		}
	}
	return all
}

var (
	curl       = regexp.MustCompile(`\bcurl\b`)
	outputLine = regexp.MustCompile(`^([{}\[" :]|true|false|retry:|id:|event:|data:|HTTP/|novcomet_)`)
)

// commands splits a block into its commands, each with the output of curl below it.
func commands(block docs.Block) (all []step) {
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
	return all
}

// complete reports whether bash accepts the lines as a complete command. A syntax error is complete, too.
func complete(command string) bool {
	if strings.HasSuffix(command, "\\") {
		return false
	}
	output, _ := exec.Command("bash", "-n", "-c", command).CombinedOutput()
	for _, message := range []string{"unexpected end of file", "unexpected EOF", "here-document"} {
		if bytes.Contains(output, []byte(message)) {
			return false
		}
	}
	return true
}
