package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"novcomet/conf/conftest"
)

// It answers, but never with something more open than what was configured.
func TestAWrongConfigurationRefusesEverything(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{"COMET_TRYS=5", "COMET_SLEEP=soon", "COMET_TRIES=0", "COMET_FILE_DIRECTORY=shm", "COMET_X=\x1b[2J\nsecond line", "COMET_CONFIG=/nonexistent"} {
		for _, query := range []string{"publish=a", "subscribed[a]=0"} {
			directory := t.TempDir()
			a := request(t, append(settings(directory), append(asked(query), wrong)...), "")
			if a.exit != 0 || a.status != 500 {
				t.Errorf("%s: exit status %d, HTTP %d", wrong, a.exit, a.status)
			}
			wantText(t, a.body, `{"error":"the settings of comet.cgi are invalid`)
			name, _, _ := strings.Cut(wrong, "=")
			wantLine(t, a.stderr, "level=ERROR", name)
			if got := events(t, directory); len(got) > 0 {
				t.Errorf("%s: published %q", wrong, got)
			}
		}
	}
}

func TestAClientsHeaderConfiguresNothing(t *testing.T) {
	t.Parallel()
	environ := append(settings(t.TempDir()), append(asked("subscribed[a]=now"), "HTTP_COMET_TRIES=1", "HTTP_COMET_SLEEP=10ms", "HTTP_COMET_NONSENSE=1")...)
	a := request(t, environ, "")
	a.want(t, 200, `{"s":0,"at":{"a":"0.000000"}}`)
	if a.took < 200*time.Millisecond {
		t.Errorf("it waited for %v only", a.took)
	}
}

// Its environment is the request, too: who has logged in is no setting.
func TestWhoHasLoggedInIsTakenFromTheEnvironment(t *testing.T) {
	t.Parallel()
	allow := []string{"COMET_PUBLISH_ALLOW=user:<user>:*"}
	for _, test := range []struct {
		environ []string
		status  int
	}{
		{[]string{"COMET_USER=ann"}, 200},
		{[]string{"REMOTE_USER=ann", "AUTH_TYPE=Basic"}, 200},
		{[]string{"REMOTE_USER=ann"}, 403},
		{[]string{"HTTP_COMET_USER=ann", "HTTP_REMOTE_USER=ann", "HTTP_AUTH_TYPE=Basic", "HTTP_AUTHORIZATION=Basic YW5uOng="}, 403},
		{[]string{"REMOTE_USER=ann", "AUTH_TYPE=Basic", "COMET_USER=bob"}, 403},
		{nil, 403},
	} {
		environ := slices.Concat(settings(t.TempDir()), asked("publish=user:ann:mail"), allow, test.environ)
		if a := request(t, environ, ""); a.status != test.status || a.stderr != "" {
			t.Errorf("%q: HTTP %d %s, %s; want %d", test.environ, a.status, a.body, a.stderr, test.status)
		}
	}
}

// By hand, or by what takes it for a FastCGI program and gives it a socket.
func TestStartedWithoutARequestItSaysWhatItIs(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for _, args := range [][]string{nil, {"--help"}, {"publish=a"}} {
		a := execute(t, executable(t), settings(t.TempDir()), args, socket)
		if a.exit != 2 || a.stdout != "" {
			t.Errorf("%q: exit status %d, %q", args, a.exit, a.stdout)
		}
		wantText(t, a.stderr, "comet.cgi is a CGI program", "comet-fcgi", "examples/apache/")
	}
}

// comet.yaml is found beside the program: first where it is called, which may be a link in a cgi-bin, then where it is.
func TestTheConfigurationIsFoundBesideTheProgram(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	installed, linked := filepath.Join(root, "installed"), filepath.Join(root, "cgi-bin")
	ofInstalled, ofLinked := filepath.Join(root, "events-installed"), filepath.Join(root, "events-linked")
	for _, directory := range []string{installed, linked, ofInstalled, ofLinked} {
		if err := os.Mkdir(directory, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(installed, "comet.cgi")
	copyFile(t, executable(t), program)
	link := filepath.Join(linked, "comet.cgi")
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	configure := func(beside, directory string) {
		t.Helper()
		text := "tries: 1\nsleep: 10ms\nfile:\n  directory: " + directory + "\n"
		if err := os.WriteFile(filepath.Join(beside, "comet.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	publish := func(called, id string) {
		t.Helper()
		environ := append(asked("publish="+id), asProgram+"=1", "GORACE=atexit_sleep_ms=0", "SCRIPT_FILENAME="+called)
		execute(t, called, environ, nil, nil).want(t, 200, "true")
	}

	configure(installed, ofInstalled)
	publish(program, "called")
	publish(link, "through-the-link")
	configure(linked, ofLinked)
	publish(link, "with-one-beside-the-link")
	publish(program, "again")
	if got, want := events(t, ofInstalled), []string{"again", "called", "through-the-link"}; !slices.Equal(got, want) {
		t.Errorf("beside the program: %q, want %q", got, want)
	}
	if got, want := events(t, ofLinked), []string{"with-one-beside-the-link"}; !slices.Equal(got, want) {
		t.Errorf("beside the link: %q, want %q", got, want)
	}
}

// Whatever becomes of the settings file between two requests: nobody may publish afterwards who could not before.
func TestADamagedSettingsFileOpensNothing(t *testing.T) {
	t.Parallel()
	for _, damage := range conftest.Damages() {
		t.Run(damage.Name, func(t *testing.T) {
			t.Parallel()
			root, err := os.MkdirTemp("", "comet") // t.TempDir is closed to other users.
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(root) })
			directory, yaml := filepath.Join(root, "events"), filepath.Join(root, "comet.yaml")
			for _, err := range []error{os.Chmod(root, 0o755), os.Mkdir(directory, 0o755), os.Chmod(directory, 0o777),
				os.WriteFile(yaml, []byte(conftest.Closed(directory)), 0o644)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			environ := append(asked("publish=a"), asProgram+"="+ordinary, "GORACE=atexit_sleep_ms=0", "COMET_CONFIG="+yaml)
			execute(t, executable(t), environ, nil, nil).wantError(t, 403, "not allowed")
			if err := damage.Do(yaml); err != nil {
				t.Fatal(err)
			}
			if damage.UnseenAtStart { // conf/README.md says so.
				return
			}
			a := execute(t, executable(t), environ, nil, nil)
			if a.exit != 0 || a.status != 500 {
				t.Errorf("exit status %d, HTTP %d %s; want 500", a.exit, a.status, a.body)
			}
			wantLine(t, a.stderr, "level=ERROR", yaml)
			if got := events(t, directory); len(got) > 0 {
				t.Errorf("published %q", got)
			}
		})
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	// A program that another test starts meanwhile would hold the copy open for writing until it runs, and nothing can be started that is.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRun_RefusesAStoreWithoutAClient(t *testing.T) {
	a := execute(t, executable(t), append(append(settings("/nonexistent"), "COMET_STORE=redis"), asked("publish=a")...), nil, nil)
	if a.status != 500 {
		t.Errorf("HTTP %d %s; want 500", a.status, a.body)
	}
	wantLine(t, a.stderr, "run comet-fcgi")
}
