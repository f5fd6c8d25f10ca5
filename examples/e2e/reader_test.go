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

// A reader is the user of a machine who follows a page.
type reader struct {
	*machine
	shell   *exec.Cmd
	input   io.WriteCloser
	status  *bufio.Reader
	jobs    map[string]string // the process groups of the commands that do not end, by their kind
	stamps  map[string]string // the real one for each that a page shows
	reloads bool              // the last command has a server read its configuration again
}

// endless has the commands that do not end, by their kind.
var endless = map[string]*regexp.Regexp{
	"demo":       regexp.MustCompile(`^go run \./examples/demo\b`),
	"comet-fcgi": regexp.MustCompile(`^(sudo )?(-u \S+ )?(\S*/)?comet-fcgi( -|$)`),
	"stream":     regexp.MustCompile(`\bcurl\b.* (-[a-zA-Z]*N|--no-buffer)`),
	"journal":    regexp.MustCompile(`\bjournalctl\b.* -[a-z]*f`),
}

const (
	commandTimeout = 5 * time.Minute
	cannotConnect  = "7" // curl's exit status; other programs say it
)

// open opens a new shell in the root of the clone.
func (r *reader) open() error {
	if r.shell != nil {
		r.input.Close()
		r.shell.Wait()
	}
	argv := slices.Concat(r.enter, []string{
		"setpriv", "--reuid", "reader", "--regid", "reader", "--init-groups", "env", "-i", "-C", r.clone,
		"HOME=/home/reader", "USER=reader", "LOGNAME=reader", "SHELL=/bin/bash", "LANG=C.UTF-8", "PATH=" + r.goroot + "/bin:/usr/local/bin:/usr/bin:/bin",
		"GOMODCACHE=" + r.modules, "GOCACHE=/opt/cache", "GOPROXY=file://" + r.modules + "/cache/download", "GOSUMDB=off", "GOTOOLCHAIN=local", "GOFLAGS=-buildvcs=false",
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
	_, err = io.WriteString(r.input, "set -m\n") // each command has a process group of its own
	return err
}

// leave ends what runs in the background, and the shell.
func (r *reader) leave() {
	for kind := range r.jobs {
		r.end(kind)
	}
	if r.shell != nil {
		r.input.Close()
		r.shell.Wait()
	}
}

func (r *reader) end(kind string) {
	if group := r.jobs[kind]; group != "" {
		r.root("kill -TERM -- -"+group+"; for i in {1..100}; do kill -0 -- -"+group+" || exit 0; sleep 0.1; done; kill -KILL -- -"+group, "")
		delete(r.jobs, kind)
	}
}

func (r *reader) follow(s step) error {
	switch {
	case s.edit != "":
		return r.edit(s)
	case kindOf(s.command) != "":
		return r.begin(s, kindOf(s.command))
	}
	status, err := r.execute(s.command, "")
	stdout, stderr := r.said()
	shown := func() bool { return len(s.output) == 0 || r.compare(s.output, stdout, true) }
	for range 50 {
		// A server that a line above has started may not listen yet. One that reloads answers as before for a moment.
		refused := status != "0" && (status == cannotConnect || strings.Contains(stderr, "onnection refused"))
		if err != nil || !refused && (!r.reloads || shown()) {
			break
		}
		time.Sleep(100 * time.Millisecond)
		status, err = r.execute(s.command, "")
		stdout, stderr = r.said()
	}
	r.reloads = strings.Contains(s.command, " reload ")
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w\n%s%s", s.command, err, stdout, stderr)
	case status != "0":
		return fmt.Errorf("%s: status %s\n%s%s", s.command, status, stdout, stderr)
	case !shown():
		return fmt.Errorf("%s: it prints\n%sbut the page shows\n%s", s.command, stdout, strings.Join(s.output, "\n"))
	}
	return nil
}

func kindOf(command string) string {
	for kind, form := range endless {
		if form.MatchString(command) {
			return kind
		}
	}
	return ""
}

// execute has the shell run a command, and returns its status.
func (r *reader) execute(command, background string) (status string, err error) {
	command = number.ReplaceAllStringFunc(command, func(shown string) string {
		if real, known := r.stamps[shown]; known {
			return real
		}
		return shown
	})
	r.files++
	if said, err := r.root(fmt.Sprintf("mkdir -p /run/manual && chmod 777 /run/manual && cat >/run/manual/%d", r.files), command+"\n"); err != nil {
		return "", errors.New(said)
	}
	line := fmt.Sprintf(". /run/manual/%d </dev/null >/run/manual/%[1]d.stdout 2>/run/manual/%[1]d.stderr %s\n", r.files, background)
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

// said returns what the last command has printed.
func (r *reader) said() (stdout, stderr string) {
	stdout, _ = r.root(fmt.Sprintf("cat /run/manual/%d.stdout", r.files), "")
	stderr, _ = r.root(fmt.Sprintf("cat /run/manual/%d.stderr", r.files), "")
	return stdout, stderr
}

// begin starts a command that does not end, and waits until it serves, or has printed what the page shows.
func (r *reader) begin(s step, kind string) error {
	r.end(kind)
	listening, _ := r.root("ss -Hlxt; ss -Hlt", "")
	group, err := r.execute(s.command, "& echo $!")
	if err != nil {
		return err
	}
	r.jobs[kind] = group
	for deadline := time.Now().Add(commandTimeout); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		stdout, stderr := r.said()
		if _, err := r.root("kill -0 -- -"+group, ""); err != nil {
			delete(r.jobs, kind)
			return fmt.Errorf("%s: it has ended\n%s%s", s.command, stdout, stderr)
		}
		now, _ := r.root("ss -Hlxt; ss -Hlt", "")
		switch {
		case kind == "journal", kind == "stream" && len(s.output) == 0, kind == "demo" && strings.Contains(stdout+stderr, "http://"), kind == "comet-fcgi" && now != listening:
			return nil
		case kind == "stream" && r.compare(s.output, stdout, false):
			r.end(kind)
			return nil
		case kind == "stream" && time.Until(deadline) < commandTimeout-patience:
			return fmt.Errorf("%s: it prints\n%sbut the page shows\n%s", s.command, stdout, strings.Join(s.output, "\n"))
		}
	}
	return fmt.Errorf("%s: it does not serve", s.command)
}

func (r *reader) edit(s step) error {
	script := map[string]string{
		"file":   `mkdir -p "$(dirname "$file")"; cat >"$file"`,
		"append": `cat >>"$file"`,
		"insert": `line=$(grep -n -m1 -F -e "$after" "$file" | cut -d: -f1); [ -n "$line" ] && sed -i "${line}r /dev/stdin" "$file"`,
	}[s.edit]
	quote := func(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
	said, err := r.root("cd "+quote(r.clone)+"; file="+quote(s.target)+"; after="+quote(s.command)+"; "+script, s.text)
	if err != nil {
		return fmt.Errorf("%s %s: %v: %s", s.edit, s.target, err, said)
	}
	return nil
}

var number = regexp.MustCompile(`[0-9]{4,}(?:\.[0-9]+)?|…`)

// compare reports whether an output is the one that a page shows. In the page, a number with four or more digits
// stands for any number, and one with ten or more for the same one each time. If whole is false, the output may go
// on after what the page shows.
func (r *reader) compare(shown []string, real string, whole bool) bool {
	var pattern strings.Builder
	var names []string // of the stamps, in their order
	text := strings.Join(shown, "\n")
	at := 0
	for _, found := range number.FindAllStringIndex(text, -1) {
		pattern.WriteString(regexp.QuoteMeta(text[at:found[0]]))
		token := text[found[0]:found[1]]
		known, isKnown := r.stamps[token]
		digits, _, _ := strings.Cut(token, ".")
		switch {
		case token == "…":
			pattern.WriteString(`[\s\S]*?`)
		case isKnown:
			pattern.WriteString(regexp.QuoteMeta(known))
		case len(digits) < 10:
			pattern.WriteString(`[0-9]+(?:\.[0-9]+)?`)
		default:
			pattern.WriteString(`([0-9]+(?:\.[0-9]+)?)`)
			names = append(names, token)
		}
		at = found[1]
	}
	pattern.WriteString(regexp.QuoteMeta(text[at:]))
	expression := `^\s*` + regexp.MustCompile(`\n *`).ReplaceAllString(pattern.String(), `\s*`) + `\s*`
	if whole {
		expression += `$`
	}
	match := regexp.MustCompile(expression).FindStringSubmatch(strings.ReplaceAll(real, "\r", ""))
	if match == nil {
		return false
	}
	stamps := map[string]string{}
	for i, name := range names {
		if before, again := stamps[name]; again && before != match[i+1] {
			return false
		}
		stamps[name] = match[i+1]
	}
	for name, stamp := range stamps {
		r.stamps[name] = stamp
	}
	return true
}

func TestManual_Compare(t *testing.T) {
	for name, c := range map[string]struct {
		shown, real string
		want        bool
	}{
		"equal":                        {`{"s":1}`, "{\"s\":1}\n", true},
		"another digit":                {`{"s":1}`, "{\"s\":0}\n", false},
		"another stamp":                {`{"k":{"a":1763800000.5}}`, `{"k":{"a":1799999999.123456}}`, true},
		"no stamp":                     {`{"k":{"a":1763800000.5}}`, `{"k":{"a":null}}`, false},
		"never published":              {`{"a":"0.000000"}`, `{"a":"1799999999.000000"}`, false},
		"one stamp twice":              {`["1763800000","1763800000"]`, `["1799999999","1799999999"]`, true},
		"one stamp, shown for two":     {`["1763800000","1763800000"]`, `["1799999999","1799999998"]`, false},
		"anything":                     {`{"a":1,…}`, `{"a":1,"b":[2]}`, true},
		"empty lines, breaks":          {"retry: 1712\n: NovComet\n  x", "retry: 2250\n\n: NovComet\n\nx\r\n", true},
		"more than the page shows":     {`{"s":1}`, `{"s":1,"k":{}}`, false},
		"characters of an expression":  {`{"a":"(.*)"}`, `{"a":"x"}`, false},
		"a stamp of an earlier output": {`{"k":{"a":1763811111}}`, `{"k":{"a":1799999999}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := &reader{stamps: map[string]string{"1763811111": "1788888888"}}
			if got := r.compare(strings.Split(c.shown, "\n"), c.real, true); got != c.want {
				t.Errorf("compare(%q, %q) = %v, want %v", c.shown, c.real, got, c.want)
			}
		})
	}
}
