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

	"novcomet/core"
	"novcomet/core/access"
	"novcomet/core/event"
	"novcomet/core/servertest"
	"novcomet/core/store/files"
	"novcomet/core/store/memcached"
)

// conf/README.md has code in two languages that reads a secret and makes a token with it. The file of
// secrets may have the line ends of Unix or Windows.
func TestREADME_CodeMakesTokens(t *testing.T) {
	const user = "7"
	for _, language := range []struct {
		line          string // the text before the line of the README that makes the token
		program, flag string // the command that runs a script
		reads         string // the text after the code that reads the secret
		script        string // contains the code that reads the secret, and the line that makes the token
	}{
		{
			"```python\n", "python3", "-c", "in Python",
			`import os; file, user = os.environ["FILE"], os.environ["OF"]; secret = %s; %s; print(token, end="")`,
		}, {
			"    secret=$(sudo head -n1 /etc/novcomet/secrets) user=7\n    ", "sh", "-c", "in shell",
			`file=$FILE user=$OF; secret=$(%s); %s; printf %%s "$token"`,
		},
	} {
		for name, end := range map[string]string{"LF": "\n", "CRLF": "\r\n"} {
			t.Run(language.program+"/"+name, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "secrets")
				text := tokenSecret + end + "# the old one" + end + tokenSecret + "-old" + end
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				signed, err := access.NewSigned([]string{"private-*"}, []string{tokenSecret})
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
				readme := example(t, "..", "conf", "README.md")
				_, after, found := strings.Cut(readme, "\n"+language.line)
				line, _, _ := strings.Cut(after, "\n")
				if !found || line == "" {
					t.Fatalf("the README has no line after %q", language.line)
				}
				read := regexp.MustCompile("`([^`]+)`\\s+" + language.reads).FindStringSubmatch(readme)
				if read == nil {
					t.Fatalf("the README has no code before %q that reads a secret", language.reads)
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
					target := "/?" + query + "&token=" + url.QueryEscape(string(token))
					endpoint.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
					if w.Code != status {
						t.Errorf("%s with the token %s: HTTP %d %s; want %d", query, token, w.Code, w.Body, status)
					}
				}
			})
		}
	}
}

// core/store/memcached/README.md has a command that publishes. The test only changes the port.
func TestREADME_CommandPublishesInMemcached(t *testing.T) {
	line := regexp.MustCompile(`(?m)^    (printf 'set novcomet:news .*)$`).
		FindStringSubmatch(example(t, "..", "core", "store", "memcached", "README.md"))
	if line == nil || !strings.Contains(line[1], "/127.0.0.1/11211") {
		t.Fatalf("the README does not have the command: %q", line)
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
	// The command does not wait for memcached's answer.
	eventually(t, func() error {
		seen, err := store.Check(t.Context(), []event.ID{id})
		if err == nil && seen.Stamps[0] <= before {
			err = fmt.Errorf("the stamp is %v, as before", before)
		}
		return err
	})
}
