package e2e_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A reader is a user of a machine who follows a page.
type reader struct {
	*machine
	shell   *exec.Cmd
	input   io.WriteCloser
	status  *bufio.Reader
	jobs    map[string]string // the process groups of the endless commands, by their kind
	stamps  stamps
	reloads bool // the last command reloads or restarts a server
}

// endless matches the commands that do not end, by their kind.
var endless = map[string]*regexp.Regexp{
	"demo":       regexp.MustCompile(`^go run \./examples/demo\b`),
	"comet-fcgi": regexp.MustCompile(`^(sudo )?(-u \S+ )?(\S*/)?comet-fcgi( -|$)`),
	"stream":     regexp.MustCompile(`\bcurl\b.* (-[a-zA-Z]*N|--no-buffer)`),
	"journal":    regexp.MustCompile(`\bjournalctl\b.* -[a-z]*f`),
}

const (
	commandTimeout = 5 * time.Minute
	cannotConnect  = "7" // the exit status of curl
)

// run follows a session, and returns the first error.
func (m *machine) run(t *testing.T, s session) error {
	r := &reader{machine: m, jobs: map[string]string{}, stamps: stamps{}}
	defer r.leave()
	start, _ := m.root("printf @; date +%s | tr -d \"\\n\"", "")
	for _, step := range s.steps {
		if step.skip != "" {
			t.Logf("%s:%d: not run (%s): %s", step.page, step.line, step.skip, step.command)
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
			journal, _ := m.root("journalctl --no-pager --quiet --output cat --since "+start+
				" | grep -vE '^ *reader :|^pam_|[.]mount: ' | tail -n 20", "")
			return fmt.Errorf("%s:%d: %w\nthe journal:\n%s", step.page, step.line, err, journal)
		}
	}
	return nil
}

// open opens a new shell in the root of the clone.
func (r *reader) open() error {
	if r.shell != nil {
		r.input.Close()
		r.shell.Wait()
	}
	argv := slices.Concat(r.enter, []string{
		"setpriv", "--reuid", "reader", "--regid", "reader", "--init-groups", "env", "-i", "-C", r.clone,
		"HOME=/home/reader", "USER=reader", "LOGNAME=reader", "SHELL=/bin/bash", "LANG=C.UTF-8",
		"PATH=" + r.goroot + "/bin:/usr/local/bin:/usr/bin:/bin", "GOMODCACHE=" + r.modules, "GOCACHE=/opt/cache",
		"GOPROXY=file://" + r.modules + "/cache/download", "GOSUMDB=off", "GOTOOLCHAIN=local",
		"GOFLAGS=-buildvcs=false",
		"bash", "--noprofile", "--norc",
	})
	r.shell = asRoot(argv...)
	var err error
	if r.input, err = r.shell.StdinPipe(); err != nil {
		return err
	}
	output, err := r.shell.StdoutPipe()
	if err != nil {
		return err
	}
	r.status = bufio.NewReader(output)
	if err := r.shell.Start(); err != nil {
		return err
	}
	_, err = io.WriteString(r.input, "set -m\n") // Each command gets a process group of its own.
	return err
}

// leave ends the endless commands and the shell.
func (r *reader) leave() {
	for kind := range r.jobs {
		r.end(kind)
	}
	if r.shell != nil {
		r.input.Close()
		r.shell.Wait()
	}
}

// end ends the endless command of a kind.
func (r *reader) end(kind string) {
	if group := r.jobs[kind]; group != "" {
		r.root("kill -TERM -- -"+group+"; for i in {1..100}; do kill -0 -- -"+group+" || exit 0; sleep 0.1; done; "+
			"kill -KILL -- -"+group, "")
		delete(r.jobs, kind)
	}
}

// follow does a step, and returns an error if the result differs from the page.
func (r *reader) follow(s step) error {
	switch {
	case s.edit != "":
		return r.edit(s)
	case kindOf(s.command) != "":
		return r.begin(s, kindOf(s.command))
	}
	status, err := r.execute(s.command, "")
	stdout, stderr := r.output()
	asShown := func() bool { return len(s.output) == 0 || r.stamps.match(s.output, stdout, true) }
	for range 50 {
		// After a start, a server or its store may not listen yet. After a reload, it may still answer as before.
		refused := status != "0" && (status == cannotConnect || strings.Contains(stderr, "onnection refused"))
		if err != nil || !refused && (!r.reloads || asShown()) {
			break
		}
		time.Sleep(100 * time.Millisecond)
		status, err = r.execute(s.command, "")
		stdout, stderr = r.output()
	}
	r.reloads = strings.Contains(s.command, " reload") || strings.Contains(s.command, " restart")
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w\n%s%s", s.command, err, stdout, stderr)
	case status != "0":
		return fmt.Errorf("%s: status %s\n%s%s", s.command, status, stdout, stderr)
	case !asShown():
		return differs(s, stdout)
	}
	return nil
}

func differs(s step, stdout string) error {
	return fmt.Errorf("%s: the output is\n%sbut the page shows\n%s", s.command, stdout, strings.Join(s.output, "\n"))
}

// kindOf returns the kind of an endless command, or "" for other commands.
func kindOf(command string) string {
	for kind, form := range endless {
		if form.MatchString(command) {
			return kind
		}
	}
	return ""
}

// execute runs a command in the shell, and returns its status. background is added to the line of the shell.
func (r *reader) execute(command, background string) (status string, err error) {
	r.files++
	write := fmt.Sprintf("mkdir -p /run/manual && chmod 777 /run/manual && cat >/run/manual/%d", r.files)
	if output, err := r.root(write, r.stamps.replace(command)+"\n"); err != nil {
		return "", errors.New(output)
	}
	const source = ". /run/manual/%d </dev/null >/run/manual/%[1]d.stdout 2>/run/manual/%[1]d.stderr %s\n"
	line := fmt.Sprintf(source, r.files, background)
	if background == "" {
		line += "echo $?\n"
	}
	if _, err := io.WriteString(r.input, line); err != nil {
		return "", err
	}
	timeout := time.AfterFunc(commandTimeout, func() { r.shell.Process.Kill() })
	defer timeout.Stop()
	status, err = r.status.ReadString('\n')
	return strings.TrimSpace(status), err
}

// output returns what the last command has printed so far.
func (r *reader) output() (stdout, stderr string) {
	stdout, _ = r.root(fmt.Sprintf("cat /run/manual/%d.stdout", r.files), "")
	stderr, _ = r.root(fmt.Sprintf("cat /run/manual/%d.stderr", r.files), "")
	return stdout, stderr
}

// begin starts an endless command, and waits until it serves, or has printed what the page shows.
func (r *reader) begin(s step, kind string) error {
	r.end(kind)
	listening, _ := r.root("ss -Hlxt; ss -Hlt", "")
	group, err := r.execute(s.command, "& echo $!")
	if err != nil {
		return err
	}
	r.jobs[kind] = group
	for deadline := time.Now().Add(commandTimeout); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		stdout, stderr := r.output()
		if _, err := r.root("kill -0 -- -"+group, ""); err != nil {
			delete(r.jobs, kind)
			return fmt.Errorf("%s: the command has ended\n%s%s", s.command, stdout, stderr)
		}
		now, _ := r.root("ss -Hlxt; ss -Hlt", "")
		switch {
		case kind == "journal",
			kind == "stream" && len(s.output) == 0,
			kind == "demo" && strings.Contains(stdout+stderr, "http://"),
			kind == "comet-fcgi" && now != listening:
			return nil
		case kind == "stream" && r.stamps.match(s.output, stdout, false):
			r.end(kind)
			return nil
		case kind == "stream" && time.Until(deadline) < commandTimeout-patience:
			return differs(s, stdout)
		}
	}
	return fmt.Errorf("%s: the command does not serve within %v", s.command, commandTimeout)
}

func (r *reader) edit(s step) error {
	script := map[string]string{
		"file":   `mkdir -p "$(dirname "$file")"; cat >"$file"`,
		"append": `cat >>"$file"`,
		"insert": `line=$(grep -n -m1 -F -e "$after" "$file" | cut -d: -f1)
			[ -n "$line" ] && sed -i "${line}r /dev/stdin" "$file"`,
	}[s.edit]
	quote := func(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
	variables := "cd " + quote(r.clone) + "; file=" + quote(s.target) + "; after=" + quote(s.command) + "; "
	output, err := r.root(variables+script, s.text)
	if err != nil {
		return fmt.Errorf("%s %s: %v: %s", s.edit, s.target, err, output)
	}
	return nil
}
