package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/access"
	"novcomet/core/event"
	"novcomet/core/servertest"
	"novcomet/core/store/files"
	"novcomet/core/store/memcached"
)

// readme returns the README of a folder.
func readme(t *testing.T, folder string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The lines of conf/README.md that read a secret and make a token with it in each language, run as written. The secrets file is
// one of Unix, or of Windows.
func TestTheREADMEsLinesMakeTokens(t *testing.T) {
	const secret, user = "0123456789abcdef0123456789abcdef", "7"
	for _, language := range []struct {
		line, program, flag string // the line of the README begins so, with what stands before it
		reads               string // what the text says behind the code that reads the secret
		script              string // with the code that reads the secret, and the line that makes the token
	}{
		{"```php\n", "php", "-r", "in PHP", `$file = getenv("FILE"); $user = getenv("OF"); $secret = %s; %s echo $token;`},
		{"```python\n", "python3", "-c", "in Python",
			`import os; file, user = os.environ["FILE"], os.environ["OF"]; secret = %s; %s; print(token, end="")`},
		{"    secret=$(sudo head -n1 /etc/novcomet/secrets) user=7\n    ", "sh", "-c", "in shell", `file=$FILE user=$OF; secret=$(%s); %s; printf %%s "$token"`},
	} {
		for name, end := range map[string]string{"LF": "\n", "CRLF": "\r\n"} {
			t.Run(language.program+"/"+name, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "secrets")
				if err := os.WriteFile(file, []byte(secret+end+"# the old one"+end+secret+"-old"+end), 0o600); err != nil {
					t.Fatal(err)
				}
				signed, err := access.NewSigned([]string{"private-*"}, []string{secret})
				if err != nil {
					t.Fatal(err)
				}
				endpoint := core.NewEndpoint(&files.Store{Directory: t.TempDir()}, core.Options{
					Location: core.Location{Access: access.Rules{Signed: signed}},
				})
				t.Cleanup(endpoint.Close)

				program, err := exec.LookPath(language.program)
				if err != nil {
					t.Fatal(err)
				}
				_, behind, found := strings.Cut(readme(t, "conf"), "\n"+language.line)
				line, _, _ := strings.Cut(behind, "\n")
				if !found || line == "" {
					t.Fatalf("the README has no line behind %q", language.line)
				}
				read := regexp.MustCompile("`([^`]+)`\\s+" + language.reads).FindStringSubmatch(readme(t, "conf"))
				if read == nil {
					t.Fatalf("the README does not say how to read a secret %s", language.reads)
				}
				cmd := exec.Command(program, language.flag, fmt.Sprintf(language.script, read[1], line))
				cmd.Env = append(os.Environ(), "FILE="+file, "OF="+user)
				token, err := cmd.Output()
				if err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				for query, status := range map[string]int{
					"subscribed[private-7-mail]=now&wait=0": http.StatusOK,
					"subscribed[private-8-mail]=now&wait=0": http.StatusForbidden,
				} {
					w := httptest.NewRecorder()
					endpoint.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?"+query+"&token="+url.QueryEscape(string(token)), nil))
					if w.Code != status {
						t.Errorf("%s with the token %s: HTTP %d %s; want %d", query, token, w.Code, w.Body, status)
					}
				}
			})
		}
	}
}

// The line of core/store/memcached/README.md that publishes, run as written but for the port.
func TestTheREADMEsLinePublishesInMemcached(t *testing.T) {
	line := regexp.MustCompile(`(?m)^    (printf 'set novcomet:news .*)$`).FindStringSubmatch(readme(t, "core/store/memcached"))
	if line == nil || !strings.Contains(line[1], "/127.0.0.1/11211") {
		t.Fatalf("the README has no such line: %q", line)
	}
	server := servertest.StartMemcached(t)
	store, err := memcached.Open(memcached.Options{Servers: []string{server.Address()}, Prefix: "novcomet:"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	id, err := event.ParseID("news")
	if err != nil {
		t.Fatal(err)
	}
	before, err := store.Publish(t.Context(), id, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(server.Address(), ":")
	output, err := exec.Command("bash", "-c", strings.Replace(line[1], "11211", port, 1)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	// bash does not wait for memcached's answer.
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		seen, err := store.Check(t.Context(), []event.ID{id})
		if err == nil && seen.Stamps[0] > before {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("published at %v, but seen: %v, %v", before, seen, err)
		}
	}
}
