package conf

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFindFile_FlagBeatsVariable(t *testing.T) {
	five, six := write(t, "tries: 5"), write(t, "tries: 6")
	environ := []string{"COMET_CONFIG=" + five}
	if c := load(t, Source{Environ: environ}); c.Tries != 5 {
		t.Errorf("COMET_CONFIG: tries %d", c.Tries)
	}
	if c := load(t, Source{File: six, Environ: environ}); c.Tries != 6 {
		t.Errorf("--config: tries %d", c.Tries)
	}
}

func TestFindFile_NamedFileMustBeReadable(t *testing.T) {
	dir := t.TempDir()
	missing, large := filepath.Join(dir, "missing.yaml"), write(t, "# "+strings.Repeat("x", 1<<20))
	dangling, fifo := filepath.Join(dir, "dangling.yaml"), filepath.Join(dir, "fifo.yaml")
	if err := errors.Join(os.Symlink(missing, dangling), syscall.Mkfifo(fifo, 0o600)); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		fifo:             "is not a regular file",
		missing:          "no such file or directory",
		dangling:         "a symbolic link leads nowhere",
		dir:              "is not a regular file",
		large:            "larger than 1 MiB",
		"/dev/null/what": "not a directory",
	} {
		_, err := Load(Source{File: path})
		wantError(t, err, "--config: ", path, says)
		_, err = Load(Source{Environ: []string{"COMET_CONFIG=" + path}})
		wantError(t, err, "COMET_CONFIG: ", path, says)
	}
}

// Only this path means it: another empty file may be a comet.yaml that was emptied.
func TestFindFile_DevNullMeansNoFile(t *testing.T) {
	link := filepath.Join(t.TempDir(), "comet.yaml")
	if err := os.Symlink(os.DevNull, link); err != nil {
		t.Fatal(err)
	}
	for _, from := range []Source{{File: os.DevNull}, {File: "/dev/../dev/null"},
		{Environ: []string{"COMET_CONFIG=/dev/null"}}} {
		l, err := Read(from)
		if err != nil || l.File() != "" {
			t.Errorf("%+v: file %q, %v", from, l.File(), err)
		}
	}
	_, err := Load(Source{File: link})
	wantError(t, err, link+": is not a regular file")
}

// A file is searched beside the path by which the program is called, then beside the program itself.
func TestFindFile_BesideTheProgram(t *testing.T) {
	self, err := os.ReadFile(must(os.Executable()))
	if err != nil {
		t.Fatal(err)
	}
	directory := func(tries string) string {
		dir := t.TempDir()
		if tries == "" {
			return dir
		}
		if err := os.WriteFile(filepath.Join(dir, "comet.yaml"), []byte("tries: "+tries), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	elsewhere := directory("99")
	program, another := filepath.Join(directory("5"), "comet.cgi"), filepath.Join(elsewhere, "comet.cgi")
	link, linkWithFile := filepath.Join(directory(""), "comet.cgi"), filepath.Join(directory("6"), "comet.cgi")
	if err := errors.Join(os.WriteFile(program, self, 0o700), os.WriteFile(another, self, 0o700),
		os.Symlink(program, link), os.Symlink(program, linkWithFile)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path, argv0, dir string
		environ                []string
		want                   string
	}{
		{"called by its path", program, program, elsewhere, nil, "5"},
		{"called by a link without a file", link, link, elsewhere, nil, "5"},
		{"called by a link with a file", linkWithFile, linkWithFile, elsewhere, nil, "6"},
		{"called by a relative path", linkWithFile, "./comet.cgi", filepath.Dir(linkWithFile), nil, "6"},
		{"called by a bare name", linkWithFile, "comet.cgi", elsewhere, nil, "5"},
		{"the path of another program is not trusted", program, another, elsewhere, nil, "5"},
		{"an empty argv[0]", program, "", elsewhere, nil, "5"},
		{"COMET_CONFIG beats it", linkWithFile, linkWithFile, elsewhere,
			[]string{"COMET_CONFIG=" + elsewhere + "/comet.yaml"}, "99"},
		{"a variable beats it", linkWithFile, linkWithFile, elsewhere, []string{"COMET_TRIES=7"}, "7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command(c.path)
			cmd.Args = []string{c.argv0, "-query", "--config=/nowhere"}
			cmd.Dir, cmd.Env = c.dir, append(c.environ, asProgram+"=1")
			if tries, err := cmd.CombinedOutput(); err != nil || string(tries) != c.want {
				t.Errorf("tries %s, %v; want %s", tries, err, c.want)
			}
		})
	}
}

// A file that is there but can't be read may restrict who publishes, so the search does not go on.
func TestSearchFile_StopsAtAFileThatCannotBeRead(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"a link that leads nowhere": func(path string) error { return os.Symlink("missing", path) },
		"a directory":               func(path string) error { return os.Mkdir(path, 0o700) },
		"a large file":              func(path string) error { return os.WriteFile(path, make([]byte, 2<<20), 0o600) },
		"its directory is a link that leads nowhere": func(path string) error {
			return os.Symlink("missing", filepath.Dir(path))
		},
		"its directory is a file": func(path string) error { return os.WriteFile(filepath.Dir(path), nil, 0o600) },
	} {
		path := filepath.Join(t.TempDir(), "comet.yaml")
		if strings.HasPrefix(name, "its directory") {
			path = filepath.Join(filepath.Dir(path), "novcomet", "comet.yaml")
		}
		if err := spoil(path); err != nil {
			t.Fatal(err)
		}
		_, err := searchFile([]string{path, write(t, "tries: 7")})
		wantError(t, err, "comet.yaml: ")
	}
	missing, next := filepath.Join(t.TempDir(), "novcomet", "comet.yaml"), write(t, "tries: 7")
	if f, err := searchFile([]string{missing, next}); f.path != next || string(f.text) != "tries: 7" || err != nil {
		t.Errorf("where there is nothing: %s %q, %v", f.path, f.text, err)
	}
	if f, err := searchFile([]string{missing}); f.path != "" || err != nil {
		t.Errorf("without any file: %s, %v", f.path, err)
	}
}
