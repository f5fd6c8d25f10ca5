package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// unmeasured is what a web server says of a body of which it does not know the length.
func unmeasured(method, query string) []string {
	return append(without(asked(query), "CONTENT_LENGTH"), "REQUEST_METHOD="+method, "CONTENT_TYPE=application/x-www-form-urlencoded")
}

func TestBody_WithoutContentLengthIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		variables []string
		stdin     string
		status    int
		body      string
		carries   string
	}{
		{"PUT", unmeasured("PUT", "publish=a"), "new", 200, "true", "new"},
		{"POST", unmeasured("POST", "publish=a"), "new", 200, "true", "new"},
		{"POST with an empty length", append(unmeasured("POST", "publish=a"), "CONTENT_LENGTH="), "new", 200, "true", "new"},
		{"PUT without a body erases the data", unmeasured("PUT", "publish=a"), "", 200, "true", ""},
		{"POST without a body keeps the data", unmeasured("POST", "publish=a"), "", 200, "true", "old"},
		{"as much as is allowed", unmeasured("PUT", "publish=a"), strings.Repeat("x", 65536), 200, "true", strings.Repeat("x", 65536)},
		{"too much", unmeasured("PUT", "publish=a"), strings.Repeat("x", 65537), 413, "", "old"},
		{"much too much", unmeasured("POST", "publish=a"), strings.Repeat("x", 1<<20), 413, "", "old"},
		{"a publication by a form", unmeasured("POST", ""), "publish=a", 200, "true", "old"},
		{"a poll by a form", unmeasured("POST", ""), "subscribed[b]=0.0&wait=0", 200, `{"s":0,"at":{"b":"0.000000"}}`, "old"},
		{"GET", unmeasured("GET", "publish=a"), "new", 200, "true", "old"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			path := filepath.Join(directory, "a.comet")
			if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			a := request(t, append(settings(directory), test.variables...), test.stdin)
			if test.status == 200 {
				a.want(t, test.status, test.body)
			} else {
				a.wantError(t, test.status)
			}
			if content, err := os.ReadFile(path); err != nil || string(content) != test.carries {
				t.Errorf("the event carries %.20q (%d bytes), %v; want %.20q", content, len(content), err, test.carries)
			}
		})
	}
}

// A client that resets its connection leaves a part of its body.
func TestBody_ShorterThanContentLengthPublishesNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		variables []string
		stdin     string
	}{
		"a POST":                {append(unmeasured("POST", "publish=a"), "CONTENT_LENGTH=10"), "a part"},
		"a PUT without a byte":  {append(unmeasured("PUT", "publish=a"), "CONTENT_LENGTH=10"), ""},
		"a form that publishes": {posted(20), "publish=a"},
		"a form that polls":     {posted(40), "subscribed[a]=now&wait=0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			request(t, append(settings(directory), test.variables...), test.stdin).wantError(t, 400, "Content-Length")
			if got := events(t, directory); len(got) > 0 {
				t.Errorf("published %q", got)
			}
		})
	}
}

// A web server may keep standard input open.
func TestBody_IsWaitedForNoLongerThanRequestTimeout(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		variables []string
		sent      string
		status    int
	}{
		{"nothing comes", unmeasured("PUT", "publish=a"), "", 408},
		{"a part comes", unmeasured("POST", "publish=a"), "a part", 408},
		{"a part of a form comes", unmeasured("POST", ""), "publish=a", 408},
		{"less than Content-Length comes", append(unmeasured("PUT", "publish=a"), "CONTENT_LENGTH=10"), "a part", 408},
		{"GET does not wait for a body", unmeasured("GET", "publish=b"), "", 200},
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
			a := execute(t, executable(t), append(settings(directory), append(test.variables, "COMET_REQUEST_TIMEOUT=300ms")...), nil, stdin)
			published := []string(nil)
			if test.status == 200 {
				a.want(t, 200, "true")
				published = []string{"b"}
			} else {
				a.wantError(t, test.status, "300ms", "request_timeout")
			}
			if got := events(t, directory); !slices.Equal(got, published) {
				t.Errorf("published %q, want %q", got, published)
			}
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
	directory := t.TempDir()
	a := execute(t, executable(t), append(settings(directory), unmeasured("POST", "publish=a")...), nil, terminal)
	a.want(t, 200, "true")
	if a.took > 5*time.Second {
		t.Errorf("it took %v", a.took)
	}
}
