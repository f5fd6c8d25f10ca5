package cgienv_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"novcomet/core/internal/coretest"
)

const secret = coretest.Secret

// token returns a parameter of a query.
func token(expiry int64, pattern string) string {
	return "&token=" + coretest.Token(secret, expiry, pattern)
}

// Each row is a request as a web server passes it: an attack, or what must work beside it. Attacks by
// sockets, records and the command line are in the tests of comet-fcgi and comet.cgi.
func TestHandler_RefusesAttacks(t *testing.T) {
	later := time.Now().Add(time.Hour).Unix()
	private := []string{"COMET_SUBSCRIBE_ALLOW", "news, user:<user>:*", "COMET_PUBLISH_ALLOW", "user:<user>:*"}
	secrets := filepath.Join(t.TempDir(), "secrets")
	if err := os.WriteFile(secrets, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	signed := []string{"COMET_SUBSCRIBE_SIGNED", "private-*", "COMET_SUBSCRIBE_SECRET_FILE", secrets}
	set := func(lists ...[]string) []string { return slices.Concat(lists...) }
	for _, test := range []struct {
		name      string
		query     string
		variables []string // names and values
		body      string
		status    int
		contains  string
		published string // "": nothing
	}{
		{name: "traversal", query: "publish=../../etc/passwd", status: 400, contains: "starts with a dot"},
		{name: "a slash that is encoded twice is an ordinary name", query: "publish=a%252fb", status: 200,
			published: "a%2fb"},
		{name: "traversal by a poll", query: "subscribed[../../etc/passwd]=0.0", status: 400},
		{name: "NUL, which ends a name in the kernel", query: "publish=a%00b", status: 400},
		{name: "a symbolic link is not followed", query: "publish=link", status: 200, contains: "false"},
		{name: "a symbolic link out of the directory is not followed", query: "publish=out", status: 200, contains: "false"},
		{name: "a symbolic link has no stamp", query: "subscribed[out]=0.0&wait=0", status: 200, contains: `{"s":0`},
		{name: "a directory is not touched", query: "publish=directory", status: 200, contains: "false"},

		{name: "a forged Authorization header without authentication, as nginx passes it",
			query:     "subscribed[user:ann:1]=now",
			variables: set(private, []string{"REMOTE_USER", "ann", "HTTP_AUTHORIZATION", "Basic YW5uOng="}),
			status:    403, contains: "without a login"},
		{name: "the same with an empty AUTH_TYPE, as nginx passes it", query: "publish=user:ann:1",
			variables: set(private, []string{"REMOTE_USER", "ann", "AUTH_TYPE", ""}), status: 403},
		{name: "the same at a location that sets an empty user", query: "publish=user:ann:1",
			variables: set(private, []string{"REMOTE_USER", "ann", "AUTH_TYPE", "Basic", "COMET_USER", ""}), status: 403},
		{name: "an authenticated user", query: "publish=user:ann:1",
			variables: set(private, []string{"REMOTE_USER", "ann", "AUTH_TYPE", "Basic"}), status: 200,
			published: "user:ann:1"},
		{name: "a user that the location sets", query: "publish=user:ann:1",
			variables: set(private, []string{"COMET_USER", "ann"}), status: 200, published: "user:ann:1"},
		{name: "another user's events", query: "subscribed[news]=0.0&subscribed[user:bob:1]=now",
			variables: set(private, []string{"COMET_USER", "ann"}), status: 403, contains: `user:bob:1`},
		{name: "headers with the names of settings", query: "publish=user:ann:1",
			variables: set(private, []string{
				"HTTP_COMET_USER", "ann", "HTTP_AUTH_TYPE", "Basic", "HTTP_REMOTE_USER", "ann", "HTTP_COMET_PUBLISH_ALLOW", "*",
			}), status: 403},
		{name: "a star as the user's name", query: "publish=user:bob:1",
			variables: set(private, []string{"COMET_USER", "*"}), status: 403},
		{name: "a misspelt restriction", query: "publish=a", variables: []string{"COMET_PUBLISH_ALOW", "none"}, status: 500},
		{name: "a restriction that is not a pattern", query: "publish=a",
			variables: []string{"COMET_PUBLISH_ALLOW", "[a-"}, status: 500},
		{name: "a setting that is not for locations", query: "publish=a",
			variables: []string{"COMET_FILE_DIRECTORY", "/etc"}, status: 500},

		{name: "publish, encoded", query: "%70ublish=a", variables: []string{"COMET_PUBLISH_ALLOW", "none"}, status: 403},
		{name: "publish hidden in a form", body: "publish=a", variables: []string{"COMET_PUBLISH_ALLOW", "none"},
			status: 403},
		{name: "publish after a subscription", query: "subscribed[a]=1&publish=b",
			variables: []string{"COMET_PUBLISH_ALLOW", "none"}, status: 403},
		{name: "GET, if only POST publishes", query: "publish=a", variables: []string{"COMET_PUBLISH_METHODS", "POST"},
			status: 405},
		{name: "a method override", query: "publish=a&_method=POST",
			variables: []string{"COMET_PUBLISH_METHODS", "POST", "HTTP_X_HTTP_METHOD_OVERRIDE", "POST"}, status: 405},

		{name: "cross-site GET (<img>) over https", query: "publish=a",
			variables: []string{"HTTP_SEC_FETCH_SITE", "cross-site", "HTTP_SEC_FETCH_MODE", "no-cors"}, status: 403},
		{name: "cross-site POST over http", body: "publish=a",
			variables: []string{"HTTP_ORIGIN", "http://evil.example"}, status: 403},
		{name: "a foreign Origin that is listed", body: "publish=a",
			variables: []string{"HTTP_ORIGIN", "https://a.example", "COMET_ORIGINS", "https://a.example"}, status: 200,
			published: "a"},
		{name: "a foreign Origin that is not listed", body: "publish=a",
			variables: []string{"HTTP_ORIGIN", "https://a.example.evil.example", "COMET_ORIGINS", "https://a.example"},
			status:    403},
		{name: "its own page", body: "publish=a", variables: []string{"HTTP_ORIGIN", "http://localhost"}, status: 200,
			published: "a"},

		{name: "no token", query: "subscribed[private-1]=now", variables: signed, status: 403, contains: "needs a token"},
		{name: "a token", query: "subscribed[private-1]=now" + token(later, "private-1"), variables: signed, status: 200},
		{name: "a token does not allow publishing", query: "publish=private-1" + token(later, "*"),
			variables: set(signed, []string{"COMET_PUBLISH_ALLOW", "none"}), status: 403},

		{name: "header injection by an id", query: "publish=a%0d%0aSet-Cookie:x", status: 400},
		{name: "header injection by an Origin", query: "publish=a",
			variables: []string{"HTTP_ORIGIN", "https://a.example\r\nSet-Cookie: x", "COMET_ORIGINS", "https://a.example"},
			status:    403},
		{name: "header injection by an Origin, if all are listed", query: "publish=a",
			variables: []string{"HTTP_ORIGIN", "x\r\nSet-Cookie: x", "COMET_ORIGINS", "*"}, status: 200, published: "a"},
		{name: "a script in an id is escaped", query: "subscribed[<script>]=0.0&wait=0", status: 200,
			contains: `\u003cscript\u003e`},
		{name: "a header for a proxy (httpoxy)", query: "publish=a",
			variables: []string{"HTTP_PROXY", "http://evil.example:3128"}, status: 200, published: "a"},

		{name: "a length that is not a number", body: "publish=a", variables: []string{"CONTENT_LENGTH", "1e3"}, status: 400},
		{name: "a negative length", query: "publish=a", body: "x", variables: []string{"CONTENT_LENGTH", "-1"}, status: 400},
		{name: "more than the length", query: "publish=a", body: "xyz", variables: []string{"CONTENT_LENGTH", "2"},
			status: 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			directory, outside := hazards(t)
			before := snapshot(t, outside)
			variables := variablesOf(map[string]string{
				"QUERY_STRING": test.query, "HTTP_HOST": "localhost", "REMOTE_ADDR": "192.0.2.1",
			})
			if test.body != "" {
				variables["REQUEST_METHOD"], variables["CONTENT_TYPE"] = "POST", "application/x-www-form-urlencoded"
				variables["CONTENT_LENGTH"] = fmt.Sprint(len(test.body))
			}
			for i := 0; i < len(test.variables); i += 2 {
				variables[test.variables[i]] = test.variables[i+1]
			}
			w, log := serveFiles(t, directory, variables, test.body)

			body := w.Body.String()
			if w.Code != test.status || !strings.Contains(strings.ReplaceAll(body, `\"`, `"`), test.contains) {
				t.Errorf("HTTP %d %s; want %d %s", w.Code, body, test.status, test.contains)
			}
			if !json.Valid(w.Body.Bytes()) && variables["REQUEST_METHOD"] != "HEAD" {
				t.Errorf("not JSON: %s", body)
			}
			for name, values := range w.Header() {
				if name == "Set-Cookie" || strings.ContainsAny(strings.Join(values, ""), "\r\n") {
					t.Errorf("%s: %q", name, values)
				}
			}
			if strings.Contains(body+log, secret) {
				t.Errorf("a secret is shown: %s %s", body, log)
			}
			want := []string{"directory.comet", "link.comet", "out.comet", "regular.comet"}
			if test.published != "" {
				want = append(want, test.published+".comet")
			}
			if got := names(t, directory); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
				t.Errorf("in the directory: %q; want %q", got, want)
			}
			if after := snapshot(t, outside); after != before {
				t.Errorf("outside: %s, before %s", after, before)
			}
		})
	}
}

// hazards returns a directory of events into which another user has put links, to a file beside the directory
// and within it, and a directory with an event's name.
func hazards(t *testing.T) (directory, outside string) {
	t.Helper()
	root := t.TempDir()
	directory, outside = filepath.Join(root, "events"), filepath.Join(root, "passwd")
	err := os.Mkdir(directory, 0o755)
	for path, make := range map[string]func(string) error{
		outside: func(path string) error { return os.WriteFile(path, []byte("root"), 0o644) },
		filepath.Join(directory, "regular.comet"):   func(path string) error { return os.WriteFile(path, nil, 0o644) },
		filepath.Join(directory, "link.comet"):      func(path string) error { return os.Symlink("regular.comet", path) },
		filepath.Join(directory, "out.comet"):       func(path string) error { return os.Symlink(outside, path) },
		filepath.Join(directory, "directory.comet"): func(path string) error { return os.Mkdir(path, 0o755) },
	} {
		if err == nil {
			err = make(path)
		}
	}
	if err == nil {
		err = os.Chtimes(outside, time.Unix(1, 0), time.Unix(1, 0))
	}
	if err != nil {
		t.Fatal(err)
	}
	return directory, outside
}

func snapshot(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(info.Size(), info.Mode(), info.ModTime())
}

func names(t *testing.T, directory string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}
