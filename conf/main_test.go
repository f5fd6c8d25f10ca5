package conf

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// asProgram makes the test binary a program that loads its settings as comet.cgi does.
const asProgram = "CONF_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	c, err := Load(Source{Environ: os.Environ()})
	if err != nil {
		io.WriteString(os.Stderr, err.Error())
		os.Exit(1)
	}
	fmt.Print(c.Tries)
	os.Exit(0)
}

// testdata is the directory of the test's own files, absolute.
var testdata = func() string {
	directory, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return directory + "/testdata/"
}()

// write makes a settings file and returns its path.
func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "comet.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t testing.TB, from Source) Config {
	t.Helper()
	c, err := Load(from)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fromVariable is a source without a file, in which one variable is set.
func fromVariable(name, value string) Source {
	return Source{File: os.DevNull, Environ: []string{"PATH=/bin", variableOf(name) + "=" + value}}
}

// defaults is the settings of a program that gets none.
func defaults(t testing.TB) Config {
	t.Helper()
	return load(t, Source{File: os.DevNull})
}

// fieldOf returns the value of the key's field: of StoreTimeout for store_timeout.
func fieldOf(c Config, name string) any {
	value := reflect.ValueOf(c)
	for part := range strings.SplitSeq(strings.ReplaceAll(name, "_", ""), ".") {
		value = value.FieldByNameFunc(func(field string) bool { return strings.EqualFold(field, part) })
	}
	return value.Interface()
}

// refuses fails unless a file with the text is an error with its path and then begin, and with the words.
func refuses(t *testing.T, text, begin string, words ...string) {
	t.Helper()
	path := write(t, text)
	_, err := Load(Source{File: path})
	wantError(t, err, append(words, path+": "+begin)...)
}

// wantError fails unless err is one line with every one of the words.
func wantError(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	if strings.ContainsAny(err.Error(), "\n\r\x00\x1b") {
		t.Errorf("not one plain line: %q", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q\nlacks %q", err, word)
		}
	}
}
