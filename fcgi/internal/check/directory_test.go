package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"novcomet/conf"
)

func TestDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open, file, link := filepath.Join(dir, "open"), filepath.Join(dir, "file"), filepath.Join(dir, "link")
	for _, err := range []error{
		os.WriteFile(file, nil, 0o600), os.Mkdir(open, 0o700), os.Chmod(open, 0o777), os.Symlink("nowhere", link),
		os.Chmod(dir, 0o750),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	const maxBytes = 64 << 10
	for _, test := range []struct {
		name    string
		file    conf.File
		verdict Verdict
		about   string
		words   []string
	}{
		{"good", conf.File{Directory: dir, Notify: true}, OK, "directory", []string{dir + ": mode 0750, owner "}},
		{"watched", conf.File{Directory: dir, Notify: true}, OK, "inotify", []string{"can watch"}},
		{"not watched", conf.File{Directory: dir}, OK, "inotify", []string{"file.notify is false"}},
		{"missing", conf.File{Directory: dir + "/none"}, Problem, "directory", []string{"no such file", "install -d"}},
		{"a dangling link", conf.File{Directory: link}, Problem, "directory", []string{"no such file"}},
		{"a file", conf.File{Directory: file}, Problem, "directory", []string{"not a directory"}},
		{"open to all", conf.File{Directory: open}, Warning, "directory", []string{"can delete", "chmod o-w"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &checker{config: conf.Config{File: test.file, Data: conf.Data{MaxBytes: maxBytes}}}
			if c.checkDirectory() {
				c.checkInotify()
			}
			for _, f := range c.Findings {
				found := f.Verdict == test.verdict && f.Check == test.about
				for _, word := range test.words {
					found = found && strings.Contains(f.Found+f.Do, word)
				}
				if found {
					return
				}
			}
			t.Errorf("no %s about %s with %q: %+v", test.verdict, test.about, test.words, c.Findings)
		})
	}
}

func TestLackOfSpace(t *testing.T) {
	t.Parallel()
	const size = 65536
	for _, test := range []struct {
		name string
		stat unix.Statfs_t
		want string
	}{
		{"room", unix.Statfs_t{Blocks: 100, Bsize: 4096, Bavail: 16, Files: 10, Ffree: 1}, ""},
		{"too few blocks", unix.Statfs_t{Blocks: 100, Bsize: 4096, Bavail: 15}, "61440 bytes are left"},
		{"no block for users", unix.Statfs_t{Blocks: 100, Bsize: 4096, Bfree: 50, Files: 10, Ffree: 1}, "0 bytes are left"},
		{"no inode", unix.Statfs_t{Blocks: 100, Bsize: 4096, Bavail: 100, Files: 10}, "no inode"},
		{"no limits", unix.Statfs_t{Bsize: 4096}, ""},
	} {
		got := lackOfSpace(test.stat, size)
		if (got == "") != (test.want == "") || !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
