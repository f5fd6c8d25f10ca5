package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestTheCommandLineIsAnswered(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name           string
		args           []string
		status         int
		stdout, stderr string
	}{
		{"version", []string{"--version"}, 0, "comet-fcgi ", ""},
		{"help", []string{"--help"}, 0, "--config FILE", ""},
		{"help by its letter", []string{"-h"}, 0, "--listen ADDRESS", ""},
		{"a stray argument", []string{"start"}, 2, "", `"start"`},
		{"a flag that there is not", []string{"--port=80"}, 2, "", "--port"},
		{"a flag without its value", []string{"--listen"}, 2, "", "--listen"},
		{"an address that is none", []string{"--listen", "comet.sock"}, 1, "", `flag --listen: listen: "comet.sock" is not allowed`},
		{"a file without a name", []string{"--config", ""}, 2, "", "--config: no file is named; /dev/null means no file"},
		{"a file that is missing", []string{"--config", "/nonexistent/comet.yaml"}, 1, "", "--config: configuration: open /nonexistent/comet.yaml"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, t.TempDir(), arrangement{args: test.args})
			if status := p.status(); status != test.status {
				t.Errorf("status %d, want %d", status, test.status)
			}
			wantOnly(t, "stdout", p.stdout, test.stdout)
			wantOnly(t, "stderr", p.stderr, test.stderr)
		})
	}
}

// wantOnly wants the text, or nothing at all.
func wantOnly(t *testing.T, name string, said *text, wanted string) {
	t.Helper()
	if wanted == "" && said.String() != "" {
		t.Errorf("%s: %s", name, said)
	}
	wantText(t, said.String(), wanted)
}

func TestReady_NamesTheSocket(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	file, socket := write(t, filepath.Join(dir, "comet.yaml"), "tries: 3\n"), filepath.Join(dir, "comet.sock")
	tcp := freePort(t)
	passed, path := boundSocket(t)
	for _, test := range []struct {
		name string
		arrangement
		want string
	}{
		{"a socket file", arrangement{args: []string{"--config", file, "--listen", "unix:" + socket}}, "socket=unix:" + socket},
		{"a port", arrangement{args: []string{"--listen", tcp}}, "socket=" + tcp},
		{"a socket that is passed", arrangement{stdin: passed}, "socket=unix:" + path},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, t.TempDir(), test.arrangement)
			want := "level=INFO msg=ready " + test.want + "\n"
			eventually(t, want, func() bool { return strings.HasSuffix(p.stderr.String(), want) })
			if test.name == "a socket file" { // It accepts then.
				wantAnswer(t, ask(t, socket, asked("publish=a"), ""), 200, "true")
			}
		})
	}
}

func TestWithoutASocketItSaysWhereOneComesFrom(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), arrangement{})
	if status := p.status(); status != 2 {
		t.Errorf("status %d, want 2", status)
	}
	wantText(t, p.stderr.String(), "--listen", "systemd", "fd 0", "comet.yaml")
	wantOnly(t, "stdout", p.stdout, "")
}

// Whatever is wrong with the configuration stops the start with one line that names where it stands.
func TestAWrongConfigurationStopsTheStart(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, yaml string
		env        []string
		want       []string
	}{
		{"a value", "tries: none\n", nil, []string{"comet.yaml", "tries", `"none"`, "give a whole number"}},
		{"a key", "trys: 5\n", nil, []string{"comet.yaml", "line 1", `unknown key "trys"`, "did you mean tries?"}},
		{"a variable", "log: info\n", []string{"COMET_TRYS=5"}, []string{"COMET_TRYS", "COMET_TRIES"}},
		{"a variable's value", "log: info\n", []string{"COMET_SLEEP=soon"}, []string{"COMET_SLEEP", `"soon"`, "seconds"}},
		{"a directory that is missing", "log: info\n", []string{"COMET_FILE_DIRECTORY=/nonexistent"}, []string{"file.directory", "/nonexistent", "no such file"}},
		{"a directory that is none", "log: info\n", []string{"COMET_FILE_DIRECTORY=/etc/passwd"}, []string{"file.directory", "/etc/passwd", "not a directory"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			socket, path := boundSocket(t)
			file := write(t, filepath.Join(filepath.Dir(path), "comet.yaml"), test.yaml)
			env := append([]string{"COMET_TRIES=", "COMET_SLEEP="}, test.env...)
			p := start(t, t.TempDir(), arrangement{args: []string{"--config", file}, env: env, stdin: socket})
			if status := p.status(); status != 1 {
				t.Errorf("status %d, want 1", status)
			}
			said := p.stderr.String()
			wantText(t, said, test.want...)
			if strings.Count(said, "\n") != 1 {
				t.Errorf("not one line: %s", said)
			}
		})
	}
}

func TestAWaitThatWebServersGiveUpIsWarnedOfAtTheStart(t *testing.T) {
	t.Parallel()
	p, path := served(t, t.TempDir(), "COMET_TRIES=60", "COMET_SLEEP=1")
	wantAnswer(t, ask(t, path, asked("publish=a"), ""), 200, "true")
	eventually(t, "it has said something", func() bool { return p.logged() != "" })
	wantText(t, p.logged(), "level=WARN", "fastcgi_read_timeout")
}

// Its arguments are a visitor's words then: a web server passes a query without "=" as such.
func TestStartedAsACGIProgramItNamesTheRightOne(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--version"}, {"-h"}, {"--config", "/etc/passwd"}, {"--listen", "127.0.0.1:9"}, {"nonsense"}} {
		p := start(t, t.TempDir(), arrangement{args: args, env: []string{"GATEWAY_INTERFACE=CGI/1.1", "REQUEST_METHOD=GET", "COMET_NONSENSE=1"}})
		if status := p.status(); status != 1 {
			t.Errorf("%q: status %d, want 1", args, status)
		}
		r, err := parseResponse(0, []byte(p.stdout.String()))
		if err != nil || r.status != 500 || r.header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%q: %v, %s", args, err, p.stdout)
		}
		wantText(t, r.body, `{"error":"`, "comet.cgi")
		wantOnly(t, "stderr", p.stderr, "")
	}
}

func TestALogThatNobodyReadsDoesNotEndIt(t *testing.T) {
	t.Parallel()
	read, log, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	read.Close()
	socket, path := boundSocket(t)
	start(t, t.TempDir(), arrangement{stdin: socket, stderr: log})
	variables := asked("publish=a")
	variables["COMET_NONSENSE"] = "1"
	for range 3 {
		if r := ask(t, path, variables, ""); r.status != 500 { // which is logged
			t.Errorf("HTTP %d, want 500", r.status)
		}
	}
	wantAnswer(t, ask(t, path, asked("publish=a"), ""), 200, "true")
}

// pflag takes the name of a value from the words about it, and puts its name where they stood.
func TestTheHelpNamesTheValueOfEachFlag(t *testing.T) {
	t.Parallel()
	flagSet(new(commandLine)).VisitAll(func(flag *pflag.Flag) {
		name, words := pflag.UnquoteUsage(flag)
		if after := words[strings.Index(words, name)+len(name):]; name != "" && after != "" && !strings.ContainsAny(after[:1], " ,;:") {
			t.Errorf("--%s %s: %s", flag.Name, name, words)
		}
	})
}
