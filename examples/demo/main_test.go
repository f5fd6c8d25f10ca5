package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// asDemo makes the test binary the demo itself, so that a test can run it as a process of its own.
const asDemo = "NOVCOMET_TEST_AS_DEMO"

func TestMain(m *testing.M) {
	if os.Getenv(asDemo) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

func TestDemo_ServesThePageAndTheEndpoint(t *testing.T) {
	directory := openDirectory(t)
	d := start(t, "--port", freePort(t), "--directory", directory)
	page, err := os.ReadFile("../browser/index.html")
	if err != nil {
		t.Fatal(err)
	}
	if got := d.get(t, "/"); got != string(page) {
		t.Errorf("/ is not the page: %.200q", got)
	}
	if got := d.get(t, "/comet.php?publish=news"); got != "true" {
		t.Errorf("publishing: %s", got)
	}
	if _, err := os.Stat(filepath.Join(directory, "news.comet")); err != nil {
		t.Errorf("the publication is not in --directory: %v", err)
	}
	for _, command := range []string{`echo '{"text":"hello"}' `, directory + "/news.comet\n", "curl '" + d.url + "/comet.php?publish=chat'"} {
		if !strings.Contains(d.said.String(), command) {
			t.Errorf("it does not print %q but\n%s", command, d.said)
		}
	}
	d.interrupt()
	if err := <-d.ended; err != nil {
		t.Errorf("it did not end cleanly: %v", err)
	}
}

func TestDemo_RefusesWrongArguments(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--port", port, "--directory", t.TempDir()}, "another program uses port " + port},
		{[]string{"--port", "0"}, "1 to 65535"},
		{[]string{"--port", "65536"}, "1 to 65535"},
		{[]string{"--with", "iis"}, "apache-cgi"},
		{[]string{"--directory", "/nowhere"}, "/nowhere is not a directory"},
		{[]string{"--directory", "main.go"}, "main.go is not a directory"},
		{[]string{"nginx"}, `"nginx" is not a flag`},
		{[]string{"--wiht", "nginx"}, "--wiht"},
	} {
		err := run(t.Context(), test.args, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: got %v, want an error with %q", test.args, err, test.want)
		}
	}
}

func TestDemo_NamesAFileThatItMayNotWrite(t *testing.T) {
	directory := openDirectory(t)
	file := filepath.Join(directory, "chat.comet")
	if err := os.WriteFile(file, nil, 0o444); err != nil {
		t.Fatal(err)
	}
	d := start(t, "--port", freePort(t), "--directory", directory)
	if got := d.get(t, "/comet.php?publish=chat"); (got == "true") == strings.Contains(d.said.String(), "rm "+file) {
		t.Errorf("publishing: %s; it printed %s", got, d.said)
	}
	if strings.Contains(d.said.String(), "rm "+directory+"/news.comet") {
		t.Errorf("it warns of a file that is not there: %s", d.said)
	}
}

func TestDemo_NamesADirectoryThatItMayNotWrite(t *testing.T) {
	directory := openDirectory(t)
	if err := os.Chmod(directory, 0o555); err != nil {
		t.Fatal(err)
	}
	d := start(t, "--port", freePort(t), "--directory", directory)
	if got := d.get(t, "/comet.php?publish=news"); (got == "true") == strings.Contains(d.said.String(), "chown") {
		t.Errorf("publishing: %s; it printed %s", got, d.said)
	}
}

// demo is a demo that runs in this process.
type demo struct {
	url       string
	said      *buffer
	interrupt context.CancelFunc
	ended     chan error
}

func start(t *testing.T, args ...string) *demo {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	d := &demo{said: &buffer{}, interrupt: cancel, ended: make(chan error, 1)}
	failed := make(chan error, 1)
	go func() {
		err := run(ctx, args, d.said, d.said)
		failed <- err
		d.ended <- err
	}()
	waitUntil(t, d.said.String, func() bool {
		select {
		case err := <-failed:
			t.Fatalf("the demo ended: %v", err)
		default:
		}
		return strings.Contains(d.said.String(), "Ctrl-C")
	})
	d.url = regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(d.said.String())
	return d
}

func (d *demo) get(t *testing.T, path string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(d.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// waitUntil looks again and again, for two minutes: the first run builds.
func waitUntil(t *testing.T, what func() string, done func() bool) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	late := time.After(2 * time.Minute)
	for !done() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("not in time; so far: %s", what())
		}
	}
}

// openDirectory returns a directory in which the server's user may write, also when the tests are root's.
func openDirectory(t *testing.T) string {
	t.Helper()
	directory, err := os.MkdirTemp("", "novcomet-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(directory) })
	if err := os.Chmod(directory, 0o777); err != nil {
		t.Fatal(err)
	}
	return directory
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// buffer is what a demo says, to be read while it speaks.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
