package conf_test

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"novcomet/conf"
)

// asProgram makes the test binary a program that loads its configuration as comet.cgi does, so
// that what it finds beside itself is found by a real process.
const asProgram = "CONF_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	c, err := conf.Load(conf.Source{Environ: os.Environ()})
	if err != nil {
		io.WriteString(os.Stderr, err.Error())
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(c); err != nil {
		panic(err)
	}
	os.Exit(0)
}

// program runs the test binary under another path and name and returns the configuration it loads.
func program(t *testing.T, path, argv0, dir string, environ ...string) conf.Config {
	t.Helper()
	cmd := exec.Command(path)
	cmd.Args = []string{argv0, "-query", "--config=/nowhere"}
	cmd.Dir = dir
	cmd.Env = append(environ, asProgram+"=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", path, err, err.(*exec.ExitError).Stderr)
	}
	var c conf.Config
	if err := json.Unmarshal(out, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// write makes a configuration file and returns its path.
func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "comet.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t testing.TB, from conf.Source) conf.Config {
	t.Helper()
	c, err := conf.Load(from)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// defaults is the shipped configuration, read from /dev/null so that no file of this machine is.
func defaults(t testing.TB) conf.Config {
	t.Helper()
	return load(t, conf.Source{File: os.DevNull})
}

// mustSay fails unless err is one line with every one of the words.
func mustSay(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	if strings.ContainsAny(err.Error(), "\n\r\x00\x1b") {
		t.Errorf("not one plain line: %q", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q\ndoes not say  %q", err, word)
		}
	}
}
