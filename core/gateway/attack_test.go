package gateway_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"novcomet/conf"
	"novcomet/core/gateway"
)

const secret = "0123456789abcdef0123456789abcdef"

// token makes one as the README tells an application to.
func token(expiry int64, pattern string) string {
	h := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(h, "%d\n%s", expiry, pattern)
	return fmt.Sprintf("&token=%d.%x.%s", expiry, h.Sum(nil), url.QueryEscape(pattern))
}

// Each row is one way to get what one should not have, as a web server passes it on, and beside it what must go on working.
// What a socket, a record or an argument of the command line can be used for stands in comet-fcgi's and comet.cgi's own tests.
func TestAttacks(t *testing.T) {
	later, past := time.Now().Add(time.Hour).Unix(), time.Now().Add(-time.Hour).Unix()
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
		says      string
		published string // "": nothing
	}{
		{name: "traversal", query: "publish=../../etc/passwd", status: 400, says: "starts with a dot"},
		{name: "traversal from within", query: "publish=a/../../passwd", status: 400, says: `contains "/"`},
		{name: "traversal in code", query: "publish=a%2f..%2fb", status: 400},
		{name: "traversal in code twice is a name like others", query: "publish=a%252fb", status: 200, published: "a%2fb"},
		{name: "traversal by a poll", query: "subscribed[../../etc/passwd]=0.0", status: 400},
		{name: "an absolute path", query: "publish=/etc/passwd", status: 400},
		{name: "a hidden file", query: "publish=.htaccess", status: 400},
		{name: "NUL, which ends a name for the kernel", query: "publish=a%00b", status: 400},
		{name: "a symbolic link is not followed", query: "publish=link", status: 200, says: "false"},
		{name: "a symbolic link out of the directory is not followed", query: "publish=out", status: 200, says: "false"},
		{name: "a symbolic link has no stamp", query: "subscribed[out]=0.0&wait=0", status: 200, says: `{"s":0`},
		{name: "a directory is not touched", query: "publish=directory", status: 200, says: "false"},

		{name: "a forged Authorization header where nobody authenticates, as nginx passes it on", query: "subscribed[user:ann:1]=now",
			variables: set(private, []string{"REMOTE_USER", "ann", "HTTP_AUTHORIZATION", "Basic YW5uOng="}), status: 403, says: "without a user"},
		{name: "the same where nginx passes an empty AUTH_TYPE", query: "publish=user:ann:1",
			variables: set(private, []string{"REMOTE_USER", "ann", "AUTH_TYPE", ""}), status: 403},
		{name: "the same where the location says that it is nobody", query: "publish=user:ann:1",
			variables: set(private, []string{"REMOTE_USER", "ann", "AUTH_TYPE", "Basic", "COMET_USER", ""}), status: 403},
		{name: "an authenticated user", query: "publish=user:ann:1", variables: set(private, []string{"REMOTE_USER", "ann", "AUTH_TYPE", "Basic"}), status: 200, published: "user:ann:1"},
		{name: "an authenticated user, as the location says", query: "publish=user:ann:1", variables: set(private, []string{"COMET_USER", "ann"}), status: 200, published: "user:ann:1"},
		{name: "another user's events", query: "subscribed[news]=0.0&subscribed[user:bob:1]=now", variables: set(private, []string{"COMET_USER", "ann"}), status: 403, says: `user:bob:1`},
		{name: "headers that call themselves settings", query: "publish=user:ann:1",
			variables: set(private, []string{"HTTP_COMET_USER", "ann", "HTTP_AUTH_TYPE", "Basic", "HTTP_REMOTE_USER", "ann", "HTTP_COMET_PUBLISH_ALLOW", "*"}), status: 403},
		{name: "a star as the user's name", query: "publish=user:bob:1", variables: set(private, []string{"COMET_USER", "*"}), status: 403},
		{name: "a class as the user's name", query: "publish=user:bob:1", variables: set(private, []string{"COMET_USER", "[a-z]ob"}), status: 403},
		{name: "a backslash as the user's name", query: "publish=user:bob:1", variables: set(private, []string{"COMET_USER", `\bob`}), status: 403},
		{name: "the word itself as the user's name", query: "publish=user:bob:1", variables: set(private, []string{"COMET_USER", "<user>"}), status: 403},
		{name: "a misspelt restriction", query: "publish=a", variables: []string{"COMET_PUBLISH_ALOW", "none"}, status: 500},
		{name: "a restriction that can't be read", query: "publish=a", variables: []string{"COMET_PUBLISH_ALLOW", "[a-"}, status: 500},
		{name: "a setting that is not for locations", query: "publish=a", variables: []string{"COMET_FILE_DIRECTORY", "/etc"}, status: 500},

		{name: "publish hidden in code", query: "%70ublish=a", variables: []string{"COMET_PUBLISH_ALLOW", "none"}, status: 403},
		{name: "publish hidden in a form", body: "publish=a", variables: []string{"COMET_PUBLISH_ALLOW", "none"}, status: 403},
		{name: "publish hidden behind a poll", query: "subscribed[a]=1&publish=b", variables: []string{"COMET_PUBLISH_ALLOW", "none"}, status: 403},
		{name: "GET where only POST publishes", query: "publish=a", variables: []string{"COMET_PUBLISH_METHODS", "POST"}, status: 405},
		{name: "HEAD where only POST publishes", query: "publish=a", variables: []string{"COMET_PUBLISH_METHODS", "POST", "REQUEST_METHOD", "HEAD"}, status: 405},
		{name: "POST where only POST publishes", body: "publish=a", variables: []string{"COMET_PUBLISH_METHODS", "POST"}, status: 200, published: "a"},
		{name: "a method that claims to be another", query: "publish=a&_method=POST", variables: []string{"COMET_PUBLISH_METHODS", "POST", "HTTP_X_HTTP_METHOD_OVERRIDE", "POST"}, status: 405},

		{name: "cross-site GET (<img>) over https", query: "publish=a", variables: []string{"HTTP_SEC_FETCH_SITE", "cross-site", "HTTP_SEC_FETCH_MODE", "no-cors"}, status: 403},
		{name: "cross-site GET (<img>) over http", query: "publish=a", variables: []string{"HTTP_REFERER", "http://evil.example/"}, status: 403},
		{name: "cross-site POST over https", body: "publish=a", variables: []string{"HTTP_SEC_FETCH_SITE", "cross-site", "HTTP_ORIGIN", "https://evil.example"}, status: 403},
		{name: "cross-site POST over http", body: "publish=a", variables: []string{"HTTP_ORIGIN", "http://evil.example"}, status: 403},
		{name: "cross-site POST of a sandboxed frame", body: "publish=a", variables: []string{"HTTP_ORIGIN", "null"}, status: 403},
		{name: "a foreign Origin that is listed", body: "publish=a", variables: []string{"HTTP_ORIGIN", "https://a.example", "COMET_ORIGINS", "https://a.example"}, status: 200, published: "a"},
		{name: "a foreign Origin that is not listed", body: "publish=a", variables: []string{"HTTP_ORIGIN", "https://a.example.evil.example", "COMET_ORIGINS", "https://a.example"}, status: 403},
		{name: "its own page", body: "publish=a", variables: []string{"HTTP_ORIGIN", "http://localhost"}, status: 200, published: "a"},
		{name: "a link that the visitor follows", query: "publish=a", variables: []string{"HTTP_SEC_FETCH_SITE", "cross-site", "HTTP_SEC_FETCH_MODE", "navigate", "HTTP_SEC_FETCH_USER", "?1"}, status: 403},

		{name: "no token", query: "subscribed[private-1]=now", variables: signed, status: 403, says: "needs a token"},
		{name: "a token", query: "subscribed[private-1]=now" + token(later, "private-1"), variables: signed, status: 200},
		{name: "an expired token", query: "subscribed[private-1]=now" + token(past, "private-1"), variables: signed, status: 403, says: "was valid until"},
		{name: "a truncated token", query: "subscribed[private-1]=now" + token(later, "private-1")[:50], variables: signed, status: 403, says: "not signed"},
		{name: "a token for another id", query: "subscribed[private-2]=now" + token(later, "private-1"), variables: signed, status: 403, says: "none of those that came is for it"},
		{name: "a token whose time was moved", query: "subscribed[private-1]=now" + strings.Replace(token(past, "private-1"), fmt.Sprint(past), fmt.Sprint(later), 1), variables: signed, status: 403},
		{name: "a secret where no token is needed opens nothing else", query: "publish=private-1" + token(later, "*"), variables: set(signed, []string{"COMET_PUBLISH_ALLOW", "none"}), status: 403},

		{name: "header injection by an id", query: "publish=a%0d%0aSet-Cookie:x", status: 400},
		{name: "header injection by an Origin", query: "publish=a", variables: []string{"HTTP_ORIGIN", "https://a.example\r\nSet-Cookie: x", "COMET_ORIGINS", "https://a.example"}, status: 403},
		{name: "header injection by an Origin where all are listed", query: "publish=a", variables: []string{"HTTP_ORIGIN", "x\r\nSet-Cookie: x", "COMET_ORIGINS", "*"}, status: 200, published: "a"},
		{name: "a script in an id stays a word of JSON", query: "subscribed[<script>]=0.0&wait=0", status: 200, says: `\u003cscript\u003e`},
		{name: "a header for a proxy (httpoxy)", query: "publish=a", variables: []string{"HTTP_PROXY", "http://evil.example:3128"}, status: 200, published: "a"},

		{name: "too long an id", query: "publish=" + strings.Repeat("x", 201), status: 400},
		{name: "too many ids", query: manyIDs(1001), status: 400},
		{name: "too many tokens", query: "subscribed[a]=now" + strings.Repeat("&token=x", 101), status: 400},
		{name: "too large a form", body: "publish=a&" + strings.Repeat("x", 70_000), status: 413},
		{name: "a wait without end", query: "subscribed[a]=now&wait=1e308", status: 200},
		{name: "a length that is none", body: "publish=a", variables: []string{"CONTENT_LENGTH", "1e3"}, status: 400},
		{name: "a negative length", query: "publish=a", body: "x", variables: []string{"CONTENT_LENGTH", "-1"}, status: 400},
		{name: "more than the length", query: "publish=a", body: "xyz", variables: []string{"CONTENT_LENGTH", "2"}, status: 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			directory, outside := hazards(t)
			before := snapshot(t, outside)
			variables := get(map[string]string{"QUERY_STRING": test.query, "HTTP_HOST": "localhost", "REMOTE_ADDR": "192.0.2.1"})
			if test.body != "" {
				variables["REQUEST_METHOD"], variables["CONTENT_TYPE"] = "POST", "application/x-www-form-urlencoded"
				variables["CONTENT_LENGTH"] = fmt.Sprint(len(test.body))
			}
			for i := 0; i < len(test.variables); i += 2 {
				variables[test.variables[i]] = test.variables[i+1]
			}
			w, log := serveFiles(t, directory, variables, test.body)

			body := w.Body.String()
			if w.Code != test.status || !strings.Contains(strings.ReplaceAll(body, `\"`, `"`), test.says) {
				t.Errorf("HTTP %d %s; want %d %s", w.Code, body, test.status, test.says)
			}
			if !json.Valid(w.Body.Bytes()) && variables["REQUEST_METHOD"] != "HEAD" {
				t.Errorf("%s is no JSON", body)
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

func manyIDs(n int) string {
	var query strings.Builder
	for i := range n {
		fmt.Fprintf(&query, "&subscribed[%d]=now", i)
	}
	return query.String()
}

// hazards is a directory of events with what somebody may have put there who can write in it, /dev/shm for example: links to a
// file beside the directory and within it, and a directory in the place of an event.
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

// serveFiles answers one request as the programs do, with polls that wait for 20 ms, and returns what was logged, too.
func serveFiles(t testing.TB, directory string, variables map[string]string, body string, settings ...string) (*httptest.ResponseRecorder, string) {
	t.Helper()
	environ := append([]string{"COMET_CONFIG=/dev/null", "COMET_TRIES=2", "COMET_SLEEP=0.01", "COMET_FILE_NOTIFY=false", "COMET_FILE_DIRECTORY=" + directory}, settings...)
	config, err := conf.Load(conf.Source{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	w := httptest.NewRecorder()
	store, _, err := gateway.Store(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	gateway.New(config, store, gateway.Log(&log, slog.LevelInfo)).Serve(context.Background(), w, variables, strings.NewReader(body))
	return w, log.String()
}

// What a visitor sends ends up in the log now and then. It can't end a line there and begin one of its own, nor move the cursor
// of the terminal that shows it.
func TestNothingThatAVisitorSendsBeginsALogLine(t *testing.T) {
	const forged = "a\nlevel=ERROR msg=forged\r\u2028level=ERROR\x1b[2J\u202e"
	failing := &touchy{fails: true}
	for name, variables := range map[string]map[string]string{
		"an id":                       {"QUERY_STRING": "publish=" + url.QueryEscape("a\u2028level=ERROR msg=forged\u202e")},
		"a path":                      {"QUERY_STRING": "publish=a", "SCRIPT_NAME": forged, "COMET_X": "1"},
		"a setting":                   {"QUERY_STRING": "publish=a", "COMET_PUBLISH_ALLOW": "[" + forged},
		"the name of a setting":       {"QUERY_STRING": "publish=a", "COMET_" + forged: "1"},
		"a panic":                     {"QUERY_STRING": "publish=a", "HTTP_X": forged, "PANIC": "1"},
		"an id that is not one":       {"QUERY_STRING": "publish=" + url.QueryEscape(forged)},
		"a user, a method and a Host": {"QUERY_STRING": "publish=b", "REMOTE_USER": forged, "AUTH_TYPE": forged, "HTTP_HOST": forged, "HTTP_ORIGIN": forged},
	} {
		store := *failing
		store.panics = variables["PANIC"] != ""
		w, log := serve(t, &store, get(variables))
		if strings.Count(log, "\n") > 1 || strings.ContainsAny(strings.TrimSuffix(log, "\n"), "\n\r\x1b\u2028\u202e") {
			t.Errorf("%s: logged %q", name, log)
		}
		if strings.ContainsAny(w.Body.String(), "\n\r\x1b") {
			t.Errorf("%s: answered %q", name, w.Body)
		}
	}
}

func TestOnlyEventsWhoseFileIsThereArePublishedWhereNoneIsMade(t *testing.T) {
	directory, _ := hazards(t)
	const create = "COMET_FILE_CREATE=false"
	w, _ := serveFiles(t, directory, get(map[string]string{"QUERY_STRING": "publish=regular"}), "", create)
	if w.Code != 200 || w.Body.String() != "true" {
		t.Errorf("one that is there: HTTP %d %s", w.Code, w.Body)
	}
	w, log := serveFiles(t, directory, get(map[string]string{"QUERY_STRING": "publish=new"}), "", create)
	if want := `{"error":"publishing \"new\" is not allowed: there is no such event, and publishing does not create one"}`; w.Code != 403 || w.Body.String() != want || log != "" {
		t.Errorf("a new one: HTTP %d %s, logged %q; want 403 %s", w.Code, w.Body, log, want)
	}
	if got := names(t, directory); slices.Contains(got, "new.comet") {
		t.Errorf("in the directory: %q", got)
	}
}

// Whatever a location sets: either it is refused with HTTP 500, or core goes by it. What conf lets through, core must understand.
func FuzzLocation(f *testing.F) {
	f.Add("*", "none", "GET, POST", "10/s", "none")
	f.Add("news, user:<user>:*", "private-*", "POST", "none", "https://a.example, http://b.example:8080")
	f.Add(`a\*, [a-z]?`, "[", "PUT", "10000/h", "*")
	f.Add("[<user>]", "<user>", "none", "0/s", "https://a.example/")
	config, err := conf.Load(conf.Source{Environ: []string{"COMET_CONFIG=/dev/null", "COMET_TRIES=1", "COMET_SLEEP=0.01"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, allow, signed, methods, rate, origins string) {
		location := map[string]string{"COMET_PUBLISH_ALLOW": allow, "COMET_SUBSCRIBE_ALLOW": allow, "COMET_SUBSCRIBE_SIGNED": signed,
			"COMET_PUBLISH_METHODS": methods, "COMET_PUBLISH_RATE": rate, "COMET_ORIGINS": origins}
		_, wrong := config.Locate(location)
		var log strings.Builder
		w := httptest.NewRecorder()
		gateway.New(config, &touchy{}, gateway.Log(&log, slog.LevelInfo)).Serve(t.Context(), w, withQuery(location, "publish=a"), strings.NewReader(""))
		if (w.Code == 500) != (wrong != nil) || !json.Valid(w.Body.Bytes()) || strings.Count(log.String(), "\n") > 1 {
			t.Errorf("%q: HTTP %d %s, logged %q; conf says %v", location, w.Code, w.Body, log.String(), wrong)
		}
	})
}

func withQuery(location map[string]string, query string) map[string]string {
	variables := get(location)
	variables["QUERY_STRING"] = query
	return variables
}
