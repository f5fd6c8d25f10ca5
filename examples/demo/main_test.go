package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"novcomet/core/servertest"
	"novcomet/examples/internal/launch"
)

// asDemo is a variable that makes the test binary run the demo, so that a test can start it as a process.
const asDemo = "NOVCOMET_TEST_AS_DEMO"

func TestMain(m *testing.M) {
	if os.Getenv(asDemo) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

func TestDemo_ServesPageAndEndpoint(t *testing.T) {
	directory := servertest.OpenDirectory(t)
	d := start(t, directory)
	page, err := os.ReadFile("../browser/index.html")
	if err != nil {
		t.Fatal(err)
	}
	if got := d.get(t, "/"); got != strings.Replace(string(page), "/dev/shm", directory, 1) {
		t.Errorf("/ is not the page with --directory: %.200q", got)
	}
	if got := d.get(t, "/comet.php?publish=news"); got != "true" {
		t.Errorf("publishing: %s", got)
	}
	if _, err := os.Stat(filepath.Join(directory, "news.comet")); err != nil {
		t.Errorf("the publication is not in --directory: %v", err)
	}
	for _, command := range []string{
		`echo '{"text":"hello"}' `, directory + "/news.comet\n", "curl '" + d.url + "/comet.php?publish=chat'",
	} {
		if !strings.Contains(d.output.String(), command) {
			t.Errorf("the demo prints\n%s\nwithout %q", d.output, command)
		}
	}
	d.interrupt()
	if err := <-d.ended; err != nil {
		t.Errorf("the demo did not end cleanly: %v", err)
	}
}

// oddDirectory returns a directory whose name needs quoting in HTML, in a shell and in YAML.
func oddDirectory(t *testing.T) string {
	t.Helper()
	directory := filepath.Join(servertest.OpenDirectory(t), `it's "one": <a> & #2`)
	if err := errors.Join(os.Mkdir(directory, 0o777), os.Chmod(directory, 0o777)); err != nil {
		t.Fatal(err)
	}
	return directory
}

// wantDirectory checks that the page and the printed command name the directory.
func (d *demo) wantDirectory(t *testing.T, directory string) {
	t.Helper()
	attribute := regexp.MustCompile(`data-directory="([^"]*)"`).FindStringSubmatch(d.get(t, "/"))
	if attribute == nil || html.UnescapeString(attribute[1]) != directory {
		t.Errorf("the page has %q, want the directory %s", attribute, directory)
	}
	command := regexp.MustCompile(`publish  (echo .*)`).FindStringSubmatch(d.output.String())
	if command == nil {
		t.Fatalf("the demo prints no command:\n%s", d.output)
	}
	if output, err := exec.Command("sh", "-c", command[1]).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", command[1], err, output)
	}
	if data, err := os.ReadFile(filepath.Join(directory, "news.comet")); string(data) != `{"text":"hello"}`+"\n" {
		t.Errorf("%s publishes %q, %v", command[1], data, err)
	}
	if strings.Contains(d.output.String(), "Remedy") {
		t.Errorf("the demo warns:\n%s", d.output)
	}
}

func TestDemo_QuotesDirectory(t *testing.T) {
	directory := oddDirectory(t)
	start(t, directory).wantDirectory(t, directory)
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

func TestDemo_NamesReadOnlyFile(t *testing.T) {
	directory := servertest.OpenDirectory(t)
	file := filepath.Join(directory, "chat.comet")
	if err := os.WriteFile(file, nil, 0o444); err != nil {
		t.Fatal(err)
	}
	d := start(t, directory)
	// Root can write to every file, and then the demo must not warn.
	got := d.get(t, "/comet.php?publish=chat")
	if (got == "true") == strings.Contains(d.output.String(), "rm "+file) {
		t.Errorf("publishing: %s; the demo prints\n%s", got, d.output)
	}
	if strings.Contains(d.output.String(), "rm "+directory+"/news.comet") {
		t.Errorf("the demo warns of a missing file:\n%s", d.output)
	}
}

func TestDemo_NamesReadOnlyDirectory(t *testing.T) {
	directory := servertest.OpenDirectory(t)
	if err := os.Chmod(directory, 0o555); err != nil {
		t.Fatal(err)
	}
	d := start(t, directory)
	got := d.get(t, "/comet.php?publish=news")
	if (got == "true") == strings.Contains(d.output.String(), "chown") {
		t.Errorf("publishing: %s; the demo prints\n%s", got, d.output)
	}
}

// demo is a demo that runs in the test's process.
type demo struct {
	url       string
	output    *servertest.Output
	interrupt context.CancelFunc
	ended     chan error
}

// start starts a demo with this directory, on a free port. The arguments are further ones.
func start(t *testing.T, directory string, args ...string) *demo {
	t.Helper()
	args = append([]string{"--port", fmt.Sprint(servertest.FreePort(t)), "--directory", directory}, args...)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	d := &demo{output: &servertest.Output{}, interrupt: cancel, ended: make(chan error, 1)}
	go func() { d.ended <- run(ctx, args, d.output, d.output) }()
	eventually(t, func() error {
		select {
		case err := <-d.ended:
			t.Fatalf("the demo ended: %v", err)
		default:
		}
		return started(d.output)
	})
	d.url = regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(d.output.String())
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

// eventually calls check until it returns nil. It waits two minutes, because the first run builds NovComet.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := launch.Until(ctx, 20*time.Millisecond, nil, check); err != nil {
		t.Fatal(err)
	}
}

// started returns nil if the demo has printed its last line, which is the one about Ctrl-C.
func started(output *servertest.Output) error {
	if text := output.String(); !strings.Contains(text, "Ctrl-C") {
		return fmt.Errorf("the demo prints only\n%s", text)
	}
	return nil
}
