package conf

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"
)

func TestTheShippedTextMeansTheSameWithoutItsComments(t *testing.T) {
	whole, err := parse(YAML)
	if err != nil {
		t.Fatal(err)
	}
	if bare := shipped().values; !reflect.DeepEqual(bare, whole) || len(bare) != len(keys()) {
		t.Errorf("without comments: %v; with them: %v", bare, whole)
	}
}

// The files that an administrator installs let nobody publish by URL. The line that is a comment does what comet.php did.
func TestInstalledFiles_LetNobodyPublishByURL(t *testing.T) {
	for _, file := range []string{"../examples/comet.yaml", "../examples/cluster/comet.yaml"} {
		c, err := Load(Source{File: file})
		if err != nil || len(c.Publish.Allow) > 0 {
			t.Errorf("%s: publish.allow %q, %v", file, c.Publish.Allow, err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		open := regexp.MustCompile(`(?m)^publish:\n(  .*\n)+`).ReplaceAllString(string(text), "")
		open = regexp.MustCompile(`(?m)^# (publish: .*)$`).ReplaceAllString(open, "$1")
		path := filepath.Join(t.TempDir(), fileName)
		if err := os.WriteFile(path, []byte(open), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err = Load(Source{File: path}); err != nil || len(c.Publish.Allow) != 1 || c.Publish.Allow[0] != "*" {
			t.Errorf("%s with the commented line: publish.allow %q, %v", file, c.Publish.Allow, err)
		}
		// As examples/systemd/novcomet.conf and examples/publish/README.md say.
		if err := os.WriteFile(path, append(text, "file: {directory: /run/novcomet/events}\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err = Load(Source{File: path}); err != nil || c.File.Directory != "/run/novcomet/events" || len(c.Publish.Allow) > 0 {
			t.Errorf("%s with a directory: %q, publish.allow %q, %v", file, c.File.Directory, c.Publish.Allow, err)
		}
	}
}
