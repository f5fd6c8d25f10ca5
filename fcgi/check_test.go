package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"novcomet/core/servertest"
)

func TestCheck_ExitStatusIsOneIfThereIsAProblem(t *testing.T) {
	t.Parallel()
	directory := servertest.OpenDirectory(t)
	if err := os.Chmod(directory, 0o777|os.ModeSticky); err != nil { // Other users write to it.
		t.Fatal(err)
	}
	file := filepath.Join(directory, "comet.yaml")
	if err := os.WriteFile(file, []byte("log: warn\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		role   string
		args   []string
		env    []string
		status int
		stdout []string
	}{
		{"no problem", roleProgram, nil, nil, 0, []string{"ok       directory      " + directory, "ok       store"}},
		{"a settings file", roleProgram, []string{"--config", file}, nil, 0,
			[]string{"ok       configuration  " + file + "; "}},
		{"all settings", roleProgram, []string{"--verbose"}, nil, 0, []string{"max_serving ", " default\n"}},
		{"JSON", roleProgram, []string{"--json"}, nil, 0,
			[]string{`"verdict": "ok"`, `"from": "environment variable COMET_FILE_DIRECTORY"`}},
		{"no directory", roleProgram, nil, []string{"COMET_FILE_DIRECTORY=/nonexistent"}, 1,
			[]string{"problem  directory", "→ "}},
		{"no web server", roleProgram, []string{"http://127.0.0.1:1/comet.php"}, nil, 1,
			[]string{"problem  URL", "connection refused"}},
		{"nothing listens", roleProgram, []string{"--listen", "127.0.0.1:1"}, nil, 1,
			[]string{"problem  socket", "flag --listen"}},
		{"no free inotify instance", roleNoInotify, nil, nil, 1,
			[]string{"problem  inotify", "fs.inotify.max_user_instances"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.role == roleNoInotify && os.Geteuid() != 0 {
				t.Skip("only root can become another user")
			}
			p := start(t, directory, startOptions{
				role: test.role, args: append([]string{checkCommand}, test.args...), env: test.env,
				unprivileged: test.role == roleProgram,
			})
			p.wantExit(test.status)
			stdout := p.stdout.String()
			wantText(t, stdout, test.stdout...)
			if test.name == "JSON" && !json.Valid([]byte(stdout)) {
				t.Errorf("no JSON: %s", stdout)
			}
		})
	}
}

func TestCheck_FindsTheRunningCometFcgi(t *testing.T) {
	t.Parallel()
	directory := servertest.OpenDirectory(t)
	server, socket := startServer(t, directory)
	server.waitUntilReady() // The check waits for an answer for 5 s.
	p := start(t, directory, startOptions{args: []string{checkCommand, "--listen", "unix:" + socket}})
	p.wantExit(0)
	wantText(t, p.stdout.String(), "ok       socket         "+socket+": mode ",
		"ok       socket         a FastCGI program answers on "+socket)
}

// The health check of a container works without settings.
func TestCheck_OfASocketTestsOnlyThat(t *testing.T) {
	t.Parallel()
	directory := servertest.OpenDirectory(t)
	server, socket := startServer(t, directory)
	server.waitUntilReady()
	for address, want := range map[string]struct {
		exit int
		line string
	}{
		"unix:" + socket:           {0, "ok       socket         a FastCGI program answers on unix:" + socket + "\n"},
		"unix:" + socket + ".none": {1, "problem  socket         unix:" + socket + ".none: "},
		"127.0.0.1:1":              {1, "problem  socket         127.0.0.1:1: "},
	} {
		p := start(t, "/nonexistent", startOptions{args: []string{checkCommand, "--socket", address}})
		p.wantExit(want.exit)
		if output := p.stdout.String(); !strings.HasPrefix(output, want.line) {
			t.Errorf("%s: %q", address, output)
		}
	}
}

func TestCheck_WarnsRoot(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("this is not root")
	}
	p := start(t, t.TempDir(), startOptions{args: []string{checkCommand}})
	p.wantExit(0)
	wantText(t, p.stdout.String(), "warning  directory      root may do everything", "sudo -u www-data comet-fcgi check")
}

func TestCheck_NamesTheFilesWhoseDataMayNotBeRead(t *testing.T) {
	t.Parallel()
	directory := servertest.OpenDirectory(t)
	for name, mode := range map[string]os.FileMode{"closed.comet": 0, "open.comet": 0o666, "another-file": 0} {
		path := filepath.Join(directory, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	p := start(t, directory, startOptions{args: []string{checkCommand}, unprivileged: true})
	p.wantExit(0)
	wantText(t, p.stdout.String(), " may not read closed.comet:", "chmod 0644", " may not publish closed.comet by URL")
}
