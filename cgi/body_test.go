package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// withoutLength returns the variables of a request whose body has no known length.
func withoutLength(method, query string, more ...string) []string {
	return append(get(query, "REQUEST_METHOD="+method, "CONTENT_TYPE=application/x-www-form-urlencoded"), more...)
}

func TestBody_WithoutContentLengthIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	most := strings.Repeat("x", 65536) // data.max_bytes
	for _, test := range []struct {
		name      string
		variables []string
		stdin     string
		status    int
		body      string
		data      string // of the event afterwards
	}{
		{"PUT", withoutLength("PUT", "publish=a"), "new", 200, "true", "new"},
		{"POST", withoutLength("POST", "publish=a"), "new", 200, "true", "new"},
		{"POST with an empty length", withoutLength("POST", "publish=a", "CONTENT_LENGTH="), "new", 200, "true", "new"},
		{"PUT without a body erases the data", withoutLength("PUT", "publish=a"), "", 200, "true", ""},
		{"POST without a body keeps the data", withoutLength("POST", "publish=a"), "", 200, "true", "old"},
		{"the most that is allowed", withoutLength("PUT", "publish=a"), most, 200, "true", most},
		{"a byte too much", withoutLength("PUT", "publish=a"), most + "x", 413, `{"error":"…`, "old"},
		{"a megabyte", withoutLength("POST", "publish=a"), strings.Repeat("x", 1<<20), 413, `{"error":"…`, "old"},
		{"a form that publishes", withoutLength("POST", ""), "publish=a", 200, "true", "old"},
		{"a form that polls", withoutLength("POST", ""), "subscribed[b]=0.0&wait=0",
			200, `{"s":0,"at":{"b":"0.000000"}}`, "old"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			path := filepath.Join(directory, "a.comet")
			if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			request(t, directory, test.stdin, test.variables...).want(t, test.status, test.body)
			if data, err := os.ReadFile(path); err != nil || string(data) != test.data {
				t.Errorf("the event has %.20q (%d bytes), %v; want %.20q", data, len(data), err, test.data)
			}
		})
	}
}

func TestBody_ThatIsInvalidPublishesNothing(t *testing.T) {
	t.Parallel()
	large := "publish=a&" + strings.Repeat("x", 1<<20)
	for _, test := range []struct {
		name      string
		variables []string
		stdin     string
		status    int
		words     string
	}{
		// A client that resets its connection leaves a part of its body.
		{"a part of a POST", withoutLength("POST", "publish=a", "CONTENT_LENGTH=10"), "a part", 400, "Content-Length"},
		{"a PUT without a byte", withoutLength("PUT", "publish=a", "CONTENT_LENGTH=10"), "", 400, "Content-Length"},
		{"a part of a form that publishes", postForm(20), "publish=a", 400, "Content-Length"},
		{"a part of a form that polls", postForm(40), "subscribed[a]=now&wait=0", 400, "Content-Length"},
		{"a length that is a word", postForm(0, "CONTENT_LENGTH=x"), "publish=a", 400, ""},
		{"a length with an exponent", postForm(0, "CONTENT_LENGTH=1e3"), "publish=a", 400, ""},
		{"a length of more than 64 bits", postForm(0, "CONTENT_LENGTH=99999999999999999999"), "publish=a", 400, ""},
		{"a negative length", postForm(0, "CONTENT_LENGTH=-1"), "publish=a", 400, ""},
		{"a length with a space", postForm(0, "CONTENT_LENGTH=12 "), "publish=a", 400, ""},
		{"more than max_request", postForm(len(large), "COMET_MAX_REQUEST=4096"), large, 413, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			request(t, directory, test.stdin, test.variables...).wantError(t, test.status, test.words)
			wantEvents(t, directory)
		})
	}
}

// A web server may keep standard input open.
func TestBody_IsAwaitedForAtMostRequestTimeout(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		variables []string
		sent      string
		status    int
		events    []string
	}{
		{"no byte comes", withoutLength("PUT", "publish=a"), "", 408, nil},
		{"a part comes", withoutLength("POST", "publish=a"), "a part", 408, nil},
		{"a part of a form comes", withoutLength("POST", ""), "publish=a", 408, nil},
		{"less than Content-Length comes", withoutLength("PUT", "publish=a", "CONTENT_LENGTH=10"), "a part", 408, nil},
		{"GET does not wait for a body", withoutLength("GET", "publish=b"), "a part", 200, []string{"b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			stdin, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			defer writer.Close()
			if _, err := io.WriteString(writer, test.sent); err != nil {
				t.Fatal(err)
			}
			directory := t.TempDir()
			timeout := "300ms"
			if test.status == 200 {
				timeout = "1m"
			}
			environ := append(settings(directory), append(test.variables, "COMET_REQUEST_TIMEOUT="+timeout)...)
			a := execute(t, executable(t), environ, nil, stdin)
			if test.status == 200 {
				a.want(t, 200, "true")
				if a.took > 30*time.Second {
					t.Errorf("comet.cgi ended after %v", a.took)
				}
			} else {
				a.wantError(t, test.status, "300ms", "request_timeout")
			}
			wantEvents(t, directory, test.events...)
		})
	}
}

func TestBody_IsNotReadFromATerminal(t *testing.T) {
	t.Parallel()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	defer terminal.Close()
	a := execute(t, executable(t), append(settings(t.TempDir()), withoutLength("POST", "publish=a")...), nil, terminal)
	a.want(t, 200, "true")
}
