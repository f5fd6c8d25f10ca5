package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// inspected runs comet-fcgi check in this part, and returns its exit status and what it printed.
func inspected(t *testing.T, part, directory string, args, env []string) (status int, stdout string) {
	t.Helper()
	p := start(t, directory, arrangement{part: part, args: append([]string{checkCommand}, args...), env: env})
	return p.status(), p.stdout.String()
}

func TestCheckEndsWithOneWhereThereIsAProblem(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	for _, test := range []struct {
		name   string
		args   []string
		env    []string
		status int
		stdout []string
	}{
		{"all is right", nil, nil, 0, []string{"ok       directory      " + directory, "ok       store"}},
		{"for programs", []string{"--json"}, nil, 0, []string{`"verdict": "ok"`, `"from": "environment variable COMET_FILE_DIRECTORY"`}},
		{"a directory that is missing", nil, []string{"COMET_FILE_DIRECTORY=/nonexistent"}, 1, []string{"problem  directory", "→ "}},
		{"a URL where nobody is", []string{"http://127.0.0.1:1/comet.php"}, nil, 1, []string{"problem  URL", "connection refused"}},
		{"the flag that says where it listens", []string{"--listen", "127.0.0.1:1"}, nil, 1, []string{"problem  socket", "flag --listen"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			status, stdout := inspected(t, asProgram, directory, test.args, test.env)
			if status != test.status {
				t.Errorf("status %d, want %d: %s", status, test.status, stdout)
			}
			wantText(t, stdout, test.stdout...)
			if strings.Contains(strings.Join(test.args, " "), "--json") && !json.Valid([]byte(stdout)) {
				t.Errorf("no JSON: %s", stdout)
			}
		})
	}
}

func TestCheckIsToldWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"check", "http://localhost/", "more"}, `"more"`},
		{[]string{"check", "localhost"}, "http://localhost/comet.php"},
		{[]string{"check", "--event", "../x", "http://localhost/"}, "../x"},
		{[]string{"check", "--wait", "soon"}, "--wait"},
		{[]string{"--json"}, "comet-fcgi check"},
		{[]string{"--event=a", "--listen", "127.0.0.1:1"}, "--event is for comet-fcgi check"},
	} {
		p := start(t, t.TempDir(), arrangement{args: test.args})
		if status := p.status(); status != 2 {
			t.Errorf("%q: status %d, want 2", test.args, status)
		}
		wantText(t, p.stderr.String(), test.want)
	}
}

// A web server passes a query without "=" as arguments.
func TestNoVisitorCanHaveItChecked(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), arrangement{args: []string{"check"}, env: []string{"GATEWAY_INTERFACE=CGI/1.1"}})
	if status := p.status(); status != 1 {
		t.Errorf("status %d, want 1", status)
	}
	wantText(t, p.stdout.String(), "Status: 500", "comet.cgi")
}

func TestCheckFindsThatThereAreTooFewOpenFiles(t *testing.T) {
	t.Parallel()
	status, stdout := inspected(t, asCramped, t.TempDir(), nil, []string{"COMET_MAX_WAITING=100"})
	if status != 1 {
		t.Errorf("status %d, want 1", status)
	}
	wantText(t, stdout, "problem  open files", "max_waiting is 100", "LimitNOFILE")
}

func TestCheckFindsThatThereIsNoInotifyInstanceLeft(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("it takes root to become a user whose instances nobody else needs")
	}
	directory := shortDir(t)
	if err := os.Chmod(directory, 0o777); err != nil {
		t.Fatal(err)
	}
	status, stdout := inspected(t, asDeaf, directory, nil, nil)
	if status != 1 {
		t.Errorf("status %d, want 1", status)
	}
	wantText(t, stdout, "problem  inotify", "fs.inotify.max_user_instances")
}
