package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"novcomet/conf"
)

func TestChecker_NamesTheFilesWhoseDataMayNotBeRead(t *testing.T) {
	directory := t.TempDir()
	for name, mode := range map[string]os.FileMode{"closed.comet": 0o600, "open.comet": 0o644, "another-file": 0o600} {
		if err := os.WriteFile(filepath.Join(directory, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(directory)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		who   account
		finds bool
	}{
		{account{uid: 65534}, true},
		{account{uid: os.Geteuid()}, false},
	} {
		c := &checker{Report: &Report{}, config: conf.Config{File: conf.File{Directory: directory}}}
		c.eventFiles(info, test.who)
		found := false
		for _, f := range c.Findings {
			found = found || f.Verdict == Warning && strings.Contains(f.Found, "may not read closed.comet:") && strings.Contains(f.Do, "chmod 0644")
		}
		if found != test.finds {
			t.Errorf("%v: the finding is there: %v; want %v; all: %+v", test.who, found, test.finds, c.Findings)
		}
	}
}
