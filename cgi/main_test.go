package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"novcomet/core/servertest"
)

// The test binary runs as comet.cgi if this variable is set.
const (
	asProgram       = "NOVCOMET_TEST_PROGRAM"
	asNobody        = "nobody"          // value: run without the rights of root
	withoutInotify  = "without-inotify" // value: run as a user who has no inotify instance left
	nobody          = 65534
	noRaceExitDelay = "GORACE=atexit_sleep_ms=0"
)

func TestMain(m *testing.M) {
	role := os.Getenv(asProgram)
	os.Unsetenv(asProgram)
	if role == "" {
		temporary, err := ownTemporaryDirectory()
		if err != nil {
			panic(err)
		}
		goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { os.RemoveAll(temporary); os.Exit(code) }))
		return
	}
	switch {
	case role == withoutInotify:
		servertest.UseUpInotify()
	case role == asNobody && os.Geteuid() == 0:
		if err := syscall.Setuid(nobody); err != nil {
			panic(err)
		}
	}
	main()
}

// ownTemporaryDirectory makes a directory and sets TMPDIR to it, so that the tests and other programs of this
// machine do not share the slots of waiting processes.
func ownTemporaryDirectory() (path string, err error) {
	if path, err = os.MkdirTemp("", "comet-cgi-test-"); err == nil {
		err = os.Chmod(path, 0o777)
	}
	if err == nil {
		err = os.Setenv("TMPDIR", path)
	}
	return path, err
}

func executable(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return self
}

// settings isolates the program from the settings of the machine. A poll waits 0.2 s.
func settings(directory string) []string {
	return []string{
		asProgram + "=1",
		noRaceExitDelay,
		"TMPDIR=" + os.TempDir(),
		"COMET_CONFIG=" + os.DevNull,
		"COMET_FILE_DIRECTORY=" + directory,
		"COMET_TRIES=4",
		"COMET_SLEEP=50ms",
	}
}

// get returns the variables that a web server sets for GET /comet.php?query, and then more.
func get(query string, more ...string) []string {
	return append([]string{
		"GATEWAY_INTERFACE=CGI/1.1",
		"SERVER_SOFTWARE=Apache/2.4",
		"SERVER_PROTOCOL=HTTP/1.1",
		"REQUEST_METHOD=GET",
		"REQUEST_URI=/comet.php?" + query,
		"SCRIPT_NAME=/comet.php",
		"QUERY_STRING=" + query,
		"HTTP_HOST=intranet.example",
	}, more...)
}

// postForm returns the variables that a web server sets for a form of this many bytes, and then more.
func postForm(length int, more ...string) []string {
	return withoutLength("POST", "", append([]string{"CONTENT_LENGTH=" + strconv.Itoa(length)}, more...)...)
}

func without(variables []string, name string) []string {
	return slices.DeleteFunc(variables, func(v string) bool { return strings.HasPrefix(v, name+"=") })
}

// answer is what one process of comet.cgi wrote.
type answer struct {
	exit   int
	stdout string
	stderr string
	took   time.Duration

	status int // parsed from stdout, as are header and body
	header http.Header
	body   string
}

// request runs comet.cgi with test settings and these variables. comet.cgi must read stdin to its end.
func request(t testing.TB, directory, stdin string, variables ...string) answer {
	t.Helper()
	body := strings.NewReader(stdin)
	a := execute(t, executable(t), append(settings(directory), variables...), nil, body)
	if body.Len() > 0 {
		t.Errorf("%d bytes of the body are unread", body.Len())
	}
	return a
}

// execute runs the program with exactly this environment, as a web server does.
func execute(t testing.TB, program string, environ, args []string, stdin io.Reader) answer {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = environ
	cmd.Stdin = stdin
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin)
	if cmd.ProcessState == nil {
		t.Fatalf("start %s: %v", program, err)
	}
	a := answer{exit: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(), took: took}
	if a.stdout == "" {
		return a
	}
	in := bufio.NewReader(&stdout)
	header, err := textproto.NewReader(in).ReadMIMEHeader()
	if err != nil {
		t.Fatalf("%v in the header of %q", err, a.stdout)
	}
	body, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	status, _, _ := strings.Cut(header.Get("Status"), " ")
	a.status, _ = strconv.Atoi(status)
	a.header, a.body = http.Header(header), string(body)
	return a
}

// want checks the whole body, or only its beginning if the wanted body ends in "…". The log must be empty.
func (a answer) want(t testing.TB, status int, body string) {
	t.Helper()
	a.wantLogged(t, status, body)
	if a.stderr != "" {
		t.Errorf("logged %q", a.stderr)
	}
}

// wantLogged is want for an answer that comes with exactly one line of level ERROR, which has these words.
// Without words it does not check the log.
func (a answer) wantLogged(t testing.TB, status int, body string, words ...string) {
	t.Helper()
	part, isPart := strings.CutSuffix(body, "…")
	if a.exit != 0 || a.status != status || a.body != body && !(isPart && strings.HasPrefix(a.body, part)) {
		t.Errorf("exit status %d, HTTP %d %s; want HTTP %d %s", a.exit, a.status, a.body, status, body)
	}
	if len(words) == 0 {
		return
	}
	if strings.Count(a.stderr, "\n") != 1 || !strings.HasSuffix(a.stderr, "\n") {
		t.Errorf("logged %q; want one line", a.stderr)
	}
	wantText(t, a.stderr, append(words, "level=ERROR")...)
}

// wantError wants {"error": …} with these words in it, and an empty log.
func (a answer) wantError(t testing.TB, status int, words ...string) {
	t.Helper()
	a.want(t, status, `{"error":"…`)
	wantText(t, a.body, words...)
}

func wantText(t testing.TB, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing in: %s", w, text)
		}
	}
}

// wantEvents checks which events the directory has, in alphabetical order.
func wantEvents(t testing.TB, directory string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, strings.TrimSuffix(e.Name(), ".comet"))
	}
	if !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

func TestMain_PrintsVersionOnlyOutsideAWebServer(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(executable(t), "--version")
	cmd.Env = settings("/nonexistent")
	out, err := cmd.Output()
	if err != nil || !strings.HasPrefix(string(out), "comet.cgi ") || !strings.Contains(string(out), runtime.Version()) {
		t.Errorf("%q, %v", out, err)
	}
	for _, variable := range []string{
		"GATEWAY_INTERFACE=", "GATEWAY_INTERFACE=CGI", "REQUEST_METHOD=", "REQUEST_METHOD=GET",
	} {
		a := execute(t, executable(t), append(settings(t.TempDir()), variable), []string{"--version"}, nil)
		if strings.Contains(a.stdout, runtime.Version()) {
			t.Errorf("%s: %s", variable, a.stdout)
		}
	}
}

// A web server passes a query without "=" as arguments.
func TestMain_IgnoresArgumentsOfARequest(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-h"}, {"--help"}, {"--version"}, {"--config", "/etc/passwd"},
		{"--listen", "127.0.0.1:1"}, {"-d", "allow_url_include=1"}, {"publish", "a"}} {
		directory := t.TempDir()
		for query, body := range map[string]string{strings.Join(args, "+"): `{"s":0}`, "publish=a": "true"} {
			execute(t, executable(t), append(settings(directory), get(query)...), args, nil).want(t, 200, body)
		}
		wantEvents(t, directory, "a")
	}
}

// A person starts the program by hand, or a FastCGI server starts it with a socket as standard input.
func TestRun_WithoutARequestPrintsUsage(t *testing.T) {
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
