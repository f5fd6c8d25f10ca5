package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The test binary runs itself again as comet.cgi where this variable is set.
const (
	asProgram = "NOVCOMET_TEST_PROGRAM"
	ordinary  = "ordinary" // a value of it: as an ordinary user, also if the test runs as root
)

func TestMain(m *testing.M) {
	role := os.Getenv(asProgram)
	os.Unsetenv(asProgram)
	switch role {
	case "":
	case deaf:
		deafen()
		main()
	case ordinary:
		if os.Geteuid() == 0 {
			const nobody = 65534
			if err := syscall.Setuid(nobody); err != nil {
				panic(err)
			}
		}
		main()
	default:
		main()
	}
	goleak.VerifyTestMain(m)
}

func executable(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return self
}

// settings are an environment that nothing of the machine gets into, with polls that wait for 0.2 s.
func settings(directory string) []string {
	return []string{
		asProgram + "=1",
		"GORACE=atexit_sleep_ms=0", // The race detector's runtime sleeps for a second, else.
		"COMET_CONFIG=" + os.DevNull,
		"COMET_FILE_DIRECTORY=" + directory,
		"COMET_TRIES=4",
		"COMET_SLEEP=50ms",
	}
}

// asked is what a web server says of GET /comet.php?query.
func asked(query string) []string {
	return []string{
		"GATEWAY_INTERFACE=CGI/1.1",
		"SERVER_SOFTWARE=Apache/2.4",
		"SERVER_PROTOCOL=HTTP/1.1",
		"REQUEST_METHOD=GET",
		"REQUEST_URI=/comet.php?" + query,
		"SCRIPT_NAME=/comet.php",
		"QUERY_STRING=" + query,
		"HTTP_HOST=intranet.example",
	}
}

// posted is what a web server says of a form of that many bytes.
func posted(length int) []string {
	return append(asked(""), "REQUEST_METHOD=POST", "CONTENT_TYPE=application/x-www-form-urlencoded", "CONTENT_LENGTH="+strconv.Itoa(length))
}

// without returns the variables without those of that name; of one that is there twice, exec takes the last.
func without(variables []string, name string) (kept []string) {
	for _, v := range variables {
		if !strings.HasPrefix(v, name+"=") {
			kept = append(kept, v)
		}
	}
	return kept
}

// answer is what comet.cgi said in its one life.
type answer struct {
	exit   int
	stdout string
	stderr string
	took   time.Duration

	status int // from here on: of stdout
	header http.Header
	body   string
}

// execute starts the program as a web server does, with an environment to the letter.
func execute(t testing.TB, program string, environ, args []string, stdin io.Reader) answer {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = environ
	cmd.Stdin = stdin
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begin := time.Now()
	_ = cmd.Run() // ProcessState says it
	if cmd.ProcessState == nil {
		t.Fatalf("%s could not be started", program)
	}
	a := answer{exit: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(), took: time.Since(begin)}
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

func (a answer) want(t testing.TB, status int, body string) {
	t.Helper()
	if a.status != status || a.body != body {
		t.Errorf("HTTP %d %s, want HTTP %d %s", a.status, a.body, status, body)
	}
	if a.exit != 0 || a.stderr != "" {
		t.Errorf("exit status %d; it said: %s", a.exit, a.stderr)
	}
}

// wantError wants {"error": …} with these words in it, and nothing in the web server's log.
func (a answer) wantError(t testing.TB, status int, words ...string) {
	t.Helper()
	if a.status != status || !strings.HasPrefix(a.body, `{"error":"`) {
		t.Errorf("HTTP %d %s, want HTTP %d and an error", a.status, a.body, status)
	}
	wantText(t, a.body, words...)
	if a.exit != 0 || a.stderr != "" {
		t.Errorf("exit status %d; it said: %s", a.exit, a.stderr)
	}
}

func wantText(t testing.TB, text string, wanted ...string) {
	t.Helper()
	for _, w := range wanted {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing in: %s", w, text)
		}
	}
}

func wantLine(t testing.TB, stderr string, words ...string) {
	t.Helper()
	if strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, "\n") {
		t.Errorf("not one line: %q", stderr)
	}
	wantText(t, stderr, words...)
}

// The arguments are a visitor's words when a web server has started the program.
func TestVersionIsPrintedOnlyOutsideAWebServer(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(executable(t), "--version")
	cmd.Env = settings("/nonexistent")
	if said, err := cmd.Output(); err != nil || !strings.HasPrefix(string(said), "comet.cgi ") || !strings.Contains(string(said), runtime.Version()) {
		t.Errorf("%q, %v", said, err)
	}
	environ := append(settings(t.TempDir()), asked("publish=a")...)
	execute(t, executable(t), environ, []string{"--version"}, nil).want(t, 200, "true")
	for _, name := range []string{"GATEWAY_INTERFACE", "REQUEST_METHOD"} {
		for _, value := range []string{"", "GET"} {
			a := execute(t, executable(t), append(settings(t.TempDir()), name+"="+value), []string{"--version"}, nil)
			if strings.Contains(a.stdout, runtime.Version()) {
				t.Errorf("%s=%s: %s", name, value, a.stdout)
			}
		}
	}
}
