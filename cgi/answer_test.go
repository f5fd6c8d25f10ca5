package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOneRequestIsAnswered(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	form := "subscribed[news]=now&wait=0"
	stamp := time.Unix(1763800000, 123456000)
	if err := os.WriteFile(filepath.Join(directory, "news.comet"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(directory, "news.comet"), stamp, stamp); err != nil {
		t.Fatal(err)
	}
	method := func(name string) []string { return append(asked("publish=by-"+name), "REQUEST_METHOD="+name) }
	for _, test := range []struct {
		name      string
		variables []string
		stdin     string
		status    int
		body      string // one that ends in … is a part
	}{
		{"publish", asked("publish=published"), "", 200, "true"},
		{"publish by POST", append(asked("publish=posted"), "REQUEST_METHOD=POST"), "", 200, "true"},
		{"publish by a form", posted(12), "publish=form", 200, "true"},
		{"a poll that is answered", asked("subscribed[news]=1763799999"), "", 200, `{"s":1,"k":{"news":1763800000}}`},
		{"a poll to the old client's byte", asked("&subscribed[news]=1763799999&subscribed[other]=1763799999&1763800000123"), "", 200, `{"s":1,"k":{"news":1763800000}}`},
		{"a precise poll", asked("subscribed%5Bnews%5D=1.0"), "", 200, `{"s":1,"k":{"news":1763800000.123456},"at":{"news":"1763800000.123456"}}`},
		{"a poll by a form", posted(len(form)), form, 200, `{"s":0,"at":{"news":"1763800000.123456"}}`},
		{"a poll that ends unchanged", asked("subscribed[never]=0"), "", 200, `{"s":0}`},
		{"HEAD", method("HEAD"), "", 200, ""},
		{"OPTIONS", method("OPTIONS"), "", 204, ""},
		{"DELETE", method("DELETE"), "", 405, `{"error":"method \"DELETE\" is not one of …`},
		{"a method that is none", method("get"), "", 405, `{"error":"method \"get\" …`},
		{"no query", asked(""), "", 400, `{"error":"the request asks for nothing: …`},
		{"an id that leaves the directory", asked("publish=../escaped"), "", 400, `{"error":"this id is not allowed: …`},
		{"an id that is hidden", asked("subscribed[.hidden]=0"), "", 400, `{"error":"this id is not allowed: …`},
		{"nesting", asked("subscribed[a][b]=0"), "", 400, `{"error":"bad query: …`},
		{"a cursor that is none", asked("subscribed[a]=1.x"), "", 400, `{"error":"not a cursor: …`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := request(t, append(settings(directory), test.variables...), test.stdin)
			if part, ok := strings.CutSuffix(test.body, "…"); ok {
				a.wantError(t, test.status, part)
			} else {
				a.want(t, test.status, test.body)
			}
			if a.status != 204 && (a.header.Get("Content-Type") != "application/json; charset=utf-8" || a.header.Get("Cache-Control") != "no-store") {
				t.Errorf("the header %v", a.header)
			}
		})
	}
	t.Cleanup(func() { // when the parallel ones are done
		if got, want := events(t, directory), []string{"form", "news", "posted", "published"}; !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
	})
}

// events lists what has been published in the directory.
func events(t testing.TB, directory string) (ids []string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		ids = append(ids, strings.TrimSuffix(e.Name(), ".comet"))
	}
	return ids
}

func request(t testing.TB, environ []string, stdin string) answer {
	t.Helper()
	return execute(t, executable(t), environ, nil, strings.NewReader(stdin))
}

// A web server passes a query without "=" as arguments: they are the visitor's words.
func TestArgumentsChangeNothing(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-h"}, {"--help"}, {"--version"}, {"--config", "/etc/passwd"}, {"--listen", "127.0.0.1:1"}, {"-d", "allow_url_include=1"}, {"publish", "a"}} {
		directory := t.TempDir()
		environ := append(settings(directory), asked(strings.Join(args, "+"))...)
		a := execute(t, executable(t), environ, args, nil)
		a.want(t, 200, `{"s":0}`) // A query that asks for nothing waits its time.
		environ = append(settings(directory), asked("publish=a")...)
		execute(t, executable(t), environ, args, nil).want(t, 200, "true")
		if got := events(t, directory); !slices.Equal(got, []string{"a"}) {
			t.Errorf("%q: events %q", args, got)
		}
	}
}

// The variables in which web servers differ, and where net/http/cgi gives up that PHP did not.
func TestTheRequestIsTakenFromTheVariablesAsInPHP(t *testing.T) {
	t.Parallel()
	form := "publish=form"
	for _, test := range []struct {
		name      string
		variables []string
		stdin     string
		published string // what it publishes
	}{
		{"QUERY_STRING wins", append(asked("publish=query"), "REQUEST_URI=/comet.php?publish=uri"), "", "query"},
		{"a rewrite has added the query", append(asked("publish=query"), "REQUEST_URI=/news"), "", "query"},
		{"REQUEST_URI where there is no QUERY_STRING", without(append(asked(""), "REQUEST_URI=/comet.php?publish=uri"), "QUERY_STRING"), "", "uri"},
		{"no REQUEST_URI", without(asked("publish=query"), "REQUEST_URI"), "", "query"},
		{"a REQUEST_URI that is no URL", append(asked("publish=query"), "REQUEST_URI=/%zz?%"), "", "query"},
		{"a host with a space", append(asked("publish=query"), "HTTP_HOST=a b"), "", "query"},
		{"a host with a user", append(asked("publish=query"), "HTTP_HOST=a@b"), "", "query"},
		{"a host with a slash", append(asked("publish=query"), "HTTP_HOST=a/../b"), "", "query"},
		{"no host", without(asked("publish=query"), "HTTP_HOST"), "", "query"},
		{"HTTP/3", append(asked("publish=query"), "SERVER_PROTOCOL=HTTP/3"), "", "query"},
		{"HTTP/2.0", append(asked("publish=query"), "SERVER_PROTOCOL=HTTP/2.0"), "", "query"},
		{"server side include", append(asked("publish=query"), "SERVER_PROTOCOL=INCLUDED"), "", "query"},
		{"no protocol", without(asked("publish=query"), "SERVER_PROTOCOL"), "", "query"},
		{"an empty CONTENT_LENGTH", append(asked("publish=query"), "CONTENT_LENGTH="), "", "query"},
		{"a path behind the program", append(asked("publish=query"), "PATH_INFO=/a b%"), "", "query"},
		{"a body that goes on", posted(len(form)), form + "&publish=more", "form"},
		{"only what the web server has to say", []string{"REQUEST_METHOD=GET", "QUERY_STRING=publish=query"}, "", "query"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			request(t, append(settings(directory), test.variables...), test.stdin).want(t, 200, "true")
			if got := events(t, directory); !slices.Equal(got, []string{test.published}) {
				t.Errorf("published: %q, want %q", got, test.published)
			}
		})
	}
}

func TestABadContentLengthIsABadRequest(t *testing.T) {
	t.Parallel()
	for _, length := range []string{"x", "1e3", "99999999999999999999", "-1", "12 "} {
		directory := t.TempDir()
		environ := append(settings(directory), append(posted(0), "CONTENT_LENGTH="+length)...)
		request(t, environ, "publish=form").wantError(t, 400)
		if got := events(t, directory); len(got) > 0 {
			t.Errorf("CONTENT_LENGTH=%s: published %q", length, got)
		}
	}
}

func TestABodyThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	form := "publish=a&" + strings.Repeat("x", 1<<20)
	environ := append(settings(directory), append(posted(len(form)), "COMET_MAX_REQUEST=4096")...)
	request(t, environ, form).wantError(t, 413)
	if got := events(t, directory); len(got) > 0 {
		t.Errorf("published %q", got)
	}
}

func TestAThousandEventsCanBeAskedFor(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	var query strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&query, "subscribed[%d]=0&", i)
	}
	request(t, append(settings(directory), asked(query.String())...), "").want(t, 200, `{"s":0}`)
	request(t, append(settings(directory), asked(query.String()+"subscribed[more]=0")...), "").wantError(t, 400, "1000")
}

// An answer must not depend on a directory that comes later: it says what it knows.
func TestADirectoryThatIsMissingIsToldHonestly(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	poll := request(t, append(settings(missing), asked("subscribed[a]=1")...), "")
	if poll.exit != 0 || poll.status != 200 || poll.body != `{"s":0}` {
		t.Errorf("a poll: exit status %d, HTTP %d %s", poll.exit, poll.status, poll.body)
	}
	if poll.took < 200*time.Millisecond {
		t.Errorf("it did not wait: %v", poll.took)
	}
	wantLine(t, poll.stderr, "level=ERROR", missing, "no such file or directory")
	publication := request(t, append(settings(missing), asked("publish=a")...), "")
	if publication.exit != 0 || publication.status != 503 || publication.body != "false" {
		t.Errorf("a publication: exit status %d, HTTP %d %s", publication.exit, publication.status, publication.body)
	}
	wantLine(t, publication.stderr, "level=ERROR", missing, "no such file or directory", "event=a")
}

// comet.cgi logs errors alone, and data that is lost is one.
func TestCometCGI_LogsWhyDataIsNotDelivered(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "a.comet"), []byte("too long"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := request(t, append(settings(directory), append(asked("subscribed[a]=0.0&data=1"), "COMET_DATA_MAX_BYTES=7")...), "")
	if a.status != 200 || !strings.HasPrefix(a.body, `{"s":1,`) || strings.Contains(a.body, `"d":`) {
		t.Errorf("HTTP %d %s; want the event without data", a.status, a.body)
	}
	wantLine(t, a.stderr, "level=ERROR", "without its data", "event=a", "data.max_bytes")
}
